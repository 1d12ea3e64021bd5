package tour

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestStepsAreTheCommandsOfTheSection(t *testing.T) {
	got, err := Steps(strings.ReplaceAll(`# Title

## Before

'''console
$ not run
'''

## Tour

'''sh
also not run
'''

'''console
$ echo one
one
$ cat <<E
> two
> E
two

'''

## After

'''console
$ not run either
'''
`, "'''", "```"), "Tour")
	want := []Step{
		{Line: 16, Command: "echo one", Want: []string{"one"}},
		{Line: 18, Command: "cat <<E\ntwo\nE", Want: []string{"two", ""}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}
}

func TestStepsRefuse(t *testing.T) {
	for _, row := range []struct{ name, document string }{
		{"a document without the section", "## Tours\n```console\n$ ls\n```\n"},
		{"a section without commands", "## Tour\n\n## Next\n```console\n$ ls\n```\n"},
		{"a block that is not closed", "## Tour\n```console\n$ ls\n"},
		{"output that no command printed", "## Tour\n```console\nls\n```\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got, err := Steps(row.document, "Tour"); err == nil {
				t.Fatalf("%+v", got)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	for _, row := range []struct {
		name, want, got string
		ok              bool
	}{
		{"the same text matches", "a|b", "a|b", true},
		{"other text does not", "a|b", "a|c", false},
		{"dots stand for any text in a line", "zxid ... of ...", "zxid 0x1 of 3", true},
		{"dots do not stand for a line end", "zxid ...", "zxid|0x1", false},
		{"a line of dots stands for any lines", "a|...|d", "a|b|c|d", true},
		{"a line of dots stands for no line too", "a|...|d", "a|d", true},
		{"what follows a line of dots must come", "a|...|d", "a|b|c", false},
		{"a missing line is noticed", "a|b", "a", false},
		{"a line too many is noticed", "a", "a|b", false},
		{"a dot is only a dot", "1.2", "132", false},
		{"blanks at the end do not count", "Mode: standalone", "Mode: standalone ", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := Match(strings.Split(row.want, "|"), strings.Split(row.got, "|"))
			if (err == nil) != row.ok {
				t.Fatalf("%v", err)
			}
		})
	}
}

func TestShellKeepsItsStateAndTellsFailure(t *testing.T) {
	s, err := startShell(t.TempDir(), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	for _, row := range []struct {
		name, command, want string
		ok                  bool
	}{
		{"a variable is set", "x=one", "", true},
		{"and is still there", "echo $x; echo two >&2", "one|two", true},
		{"text without a line end is seen", "printf imok", "imok", true},
		{"a failure is one", "false", "", false},
		{"a job in the background does not hold up", "sleep 1000 & echo started", "started", true},
	} {
		got, err := s.run(row.command)
		if strings.Join(got, "|") != row.want || (err == nil) != row.ok {
			t.Fatalf("%s: %q, %v", row.name, got, err)
		}
	}
}
