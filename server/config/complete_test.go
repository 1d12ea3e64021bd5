package config

import (
	"slices"
	"strings"
	"testing"
)

func TestKeysAndValuesAreCompleted(t *testing.T) {
	for _, row := range []struct {
		typed string
		want  []string
		paths bool
	}{
		{"dataL", []string{"dataLogDir="}, false},
		{"snapshot.c", []string{"snapshot.compression.method="}, false},
		{"snapshot.compression.method=", []string{"snapshot.compression.method=gz", "snapshot.compression.method=snappy"}, false},
		{"standaloneEnabled=f", []string{"standaloneEnabled=false"}, false},
		{"forceSync=", []string{"forceSync=yes", "forceSync=no"}, false},
		{"zookeeper.forceSync=n", []string{"zookeeper.forceSync=no"}, false},
		{"dataDir=/va", nil, true},
		{"tickTime=", nil, false},
		{"audit.impl", nil, false}, // of the Java server
		{"nothing=", nil, false},
	} {
		got, paths := Complete(row.typed)
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], "\t")
		}
		if !slices.Equal(got, row.want) || paths != row.paths {
			t.Errorf("%s: %q, %v", row.typed, got, paths)
		}
	}
	all, _ := Complete("")
	for _, word := range all {
		if key, effect, _ := strings.Cut(word, "=\t"); key == "" || effect == "" || strings.Contains(effect, "\t") {
			t.Errorf("%q", word)
		}
	}
}
