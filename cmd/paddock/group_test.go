package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestWhatIsNoCommandIsRefusedInOneLine(t *testing.T) {
	for name, row := range map[string]struct {
		args string
		code int
		says string // on the standard error
	}{
		"nothing shows the help":              {args: "", code: 0},
		"a group of commands shows its help":  {args: "wal", code: 0},
		"a word like a command":               {args: "server", code: 2, says: `paddock: unknown command "server"; did you mean paddock serve?`},
		"a word like none":                    {args: "nonsense serve", code: 2, says: `paddock: unknown command "nonsense"; see paddock --help`},
		"a word like a command in its group":  {args: "wal dmp", code: 2, says: `paddock: unknown command "dmp"; did you mean paddock wal dump?`},
		"a word like none in its group":       {args: "snapshot nonsense", code: 2, says: `paddock: unknown command "nonsense"; see paddock snapshot --help`},
		"a flag that does not exist":          {args: "--nonsense", code: 2, says: "paddock: unknown flag: --nonsense; see paddock --help"},
		"a flag that does not exist in serve": {args: "serve --confg x", code: 2, says: "paddock: unknown flag: --confg; see paddock serve --help"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(t.Context(), strings.Fields(row.args), &out, &errs)
			if says := strings.TrimSuffix(errs.String(), "\n"); code != row.code || says != row.says {
				t.Errorf("exit code %d and %q, want %d and %q", code, says, row.code, row.says)
			}
			if help := strings.Contains(out.String(), "Usage:"); help != (row.code == 0) {
				t.Errorf("printed %q", &out)
			}
		})
	}
}
