package main

import (
	"strings"
	"testing"
)

// TestWhatShellsAreOffered: what the completion scripts ask for, and what they are told to do with it.
func TestWhatShellsAreOffered(t *testing.T) {
	const (
		files          = ":0"
		noFiles        = ":4"
		noFilesNoSpace = ":6"
	)
	for _, row := range []struct{ line, want string }{
		{"serve --log-level", "debug info warn error " + noFiles},
		{"serve --log-format", "auto json text " + noFiles},
		{"bench --workload", "get "},
		{"migrate import --sessions", "keep drop " + noFiles},
		{"serve autopurge.p", "autopurge.purgeInterval= " + noFilesNoSpace},
		{"serve --config zoo.cfg forceSync=", "forceSync=yes forceSync=no " + noFiles},
		{"serve dataDir=/v", files},
		{"serve --config", files},
	} {
		words := strings.Fields(row.line)
		typed := ""
		if last := words[len(words)-1]; !strings.HasPrefix(last, "--") {
			typed, words = last, words[:len(words)-1]
		}
		out, _ := good(t, append(append([]string{"__complete"}, words...), typed)...)
		var got []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			got = append(got, word)
		}
		if text := strings.Join(got, " "); !strings.HasPrefix(text, row.want) {
			t.Errorf("%s: %q", row.line, text)
		}
	}
}
