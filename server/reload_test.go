package server

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"paddock/server/config"
)

func TestWhatAReloadSays(t *testing.T) {
	load := func(words ...string) *config.Config {
		t.Helper()
		c, _, err := config.Load(config.Source{Args: words})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var out bytes.Buffer
	before, next := load("maxClientCnxns=10"), load("maxClientCnxns=20", "tickTime=2500")
	s := &server{cfg: before, log: zerolog.New(&out)}
	s.reload(before, next, &live{})
	for _, want := range []string{`"key":"maxClientCnxns","before":"10","after":"20"`, `"tickTime"`, `"remedy":"restart the server"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
	out.Reset()
	s.reload(next, next, &live{})
	if got := out.String(); strings.Contains(got, `"before"`) || !strings.Contains(got, `"tickTime"`) {
		t.Errorf("read a second time: %s", got)
	}
}
