package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paddock/server/config"
)

// A key that nobody knows is a warning, which no start waits for: each configuration that is handed out has none.
func TestConfigurationsThatAreHandedOutLoadWithoutANotice(t *testing.T) {
	for _, name := range []string{"../zoo.cfg", "../zoo.ensemble.cfg", "../compose/zoo.cfg", "../container/zoo.cfg", "../kubernetes/paddock.yaml"} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			if filepath.Ext(name) == ".yaml" {
				text = inManifest(t, text)
			}
			c, notices, err := config.Load(config.Source{File: "zoo.cfg", MyID: "1", ReadFile: func(file string) ([]byte, error) {
				if file == "zoo.cfg" {
					return []byte(text), nil
				}
				return nil, fs.ErrNotExist
			}})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range notices {
				t.Error(n)
			}
			if c.DataDir != "/var/lib/paddock" || c.GRPC.Port != 7181 || c.HTTP.Port != 8080 {
				t.Errorf("data in %s, gRPC on %d, HTTP on %d", c.DataDir, c.GRPC.Port, c.HTTP.Port)
			}
		})
	}
}

// inManifest is the zoo.cfg of the manifests, with the members that a pod adds.
func inManifest(t *testing.T, text string) string {
	t.Helper()
	_, text, ok := strings.Cut(text, "  zoo.cfg: |\n")
	text, _, ends := strings.Cut(text, "---\n")
	if !ok || !ends {
		t.Fatal("no zoo.cfg")
	}
	three, err := pods.first(3)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(text, "    ", "") + membersText(three)
}
