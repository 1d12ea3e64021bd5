package config

import (
	"slices"
	"testing"
)

func TestWhatHasChanged(t *testing.T) {
	load := func(text string) *Config {
		t.Helper()
		c, _, err := Load(Source{File: "zoo.cfg", ReadFile: files(map[string]string{"zoo.cfg": "dataDir=/d\n" + text})})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := load("maxClientCnxns=10\ntickTime=3000\n")
	for text, want := range map[string][]string{
		"maxClientCnxns=10\n":                nil, // the default of tickTime is what was given
		"maxClientCnxns=11\ntickTime=3000\n": {"maxClientCnxns"},
		"maxClientCnxns=10\ninitLimit=77\n":  {"initLimit"},
		"tickTime=3000\nsnapCount=5000\n":    {"maxClientCnxns", "snapCount", "snapLogBytes", "snapLogPercent"},
	} {
		if got := Changed(before, load(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if !AtRunTime("maxClientCnxns") || AtRunTime("tickTime") {
		t.Error("what can change at run time")
	}
}
