package config

import (
	"slices"
	"strings"
)

// Complete returns the words of a command line that begin with what was typed, for the completion of a shell: "key=" with a tab and the key's effect
// behind it, or, behind the equals sign, the values that a key can have. paths tells that the value is a path, which the shell knows better.
// Keys that are accepted and do nothing are left out.
func Complete(typed string) (words []string, paths bool) {
	name, _, value := strings.Cut(typed, "=")
	if !value {
		for _, k := range registry {
			if !k.Prefix && k.Status != Ignored && k.Status != Later && strings.HasPrefix(k.Name, typed) {
				words = append(words, k.Name+"=\t"+k.Effect)
			}
		}
		return words, false
	}
	s, ok := lookup(name)
	if !ok {
		return nil, false
	}
	for _, v := range valuesOf(s.key) {
		if word := name + "=" + v; strings.HasPrefix(word, typed) {
			words = append(words, word)
		}
	}
	return words, s.key.Kind == KindPath
}

// valuesOf are the values that a key can have, if they are few.
func valuesOf(k *Key) []string {
	switch k.Kind {
	case KindBool:
		return []string{"true", "false"}
	case KindOnlyYes, KindUnlessNo:
		return []string{"yes", "no"}
	}
	switch k.Name {
	case "snapshot.compression.method":
		return []string{"gz", "snappy"}
	case "peerType":
		return []string{"participant", "observer"}
	case "myid":
		return []string{"auto"}
	case "4lw.commands.whitelist":
		list := []string{"*"}
		for w := range fourLetterWords {
			list = append(list, w)
		}
		slices.Sort(list)
		return list
	}
	return nil
}
