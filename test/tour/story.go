package tour

import (
	"fmt"
	"regexp"
	"strings"
)

// Step is one command of the tour and what it prints.
type Step struct {
	Line    int      // in the document, from 1
	Command string   // without "$ "; lines that begin with "> " continue it
	Want    []string // lines, with "..." as described in the package comment
}

// Steps finds the commands in the console blocks of one section of a Markdown document. The section ends where the
// next one of the same level begins.
func Steps(document, section string) ([]Step, error) {
	var steps []Step
	inSection, inBlock, found := false, false, false
	for i, line := range strings.Split(document, "\n") {
		switch {
		case inBlock && line == "```":
			inBlock = false
		case inBlock && strings.HasPrefix(line, "$ "):
			steps = append(steps, Step{Line: i + 1, Command: line[2:]})
		case inBlock && len(steps) == 0:
			return nil, fmt.Errorf("line %d: output before the first command", i+1)
		case inBlock:
			last := &steps[len(steps)-1]
			if more, ok := strings.CutPrefix(line, "> "); ok && len(last.Want) == 0 {
				last.Command += "\n" + more
			} else {
				last.Want = append(last.Want, line)
			}
		case strings.HasPrefix(line, "## "):
			inSection = line == "## "+section
			found = found || inSection
		case inSection && line == "```console":
			inBlock = true
		}
	}
	switch {
	case !found:
		return nil, fmt.Errorf("no section %q", section)
	case inBlock:
		return nil, fmt.Errorf("a block is not closed")
	case len(steps) == 0:
		return nil, fmt.Errorf("section %q has no commands", section)
	}
	return steps, nil
}

// Match compares what a command printed with what it should print. The error shows the first line that differs.
func Match(want, got []string) error {
	if len(want) == 0 {
		if len(got) > 0 {
			return fmt.Errorf("printed %q, want nothing", got[0])
		}
		return nil
	}
	if want[0] == "..." {
		for skip := 0; skip <= len(got); skip++ {
			if Match(want[1:], got[skip:]) == nil {
				return nil
			}
		}
		return fmt.Errorf("nothing printed matches what follows \"...\": %q", want[1])
	}
	if len(got) == 0 {
		return fmt.Errorf("printed nothing more, want %q", want[0])
	}
	if !matchLine(want[0], got[0]) {
		return fmt.Errorf("printed %q, want %q", got[0], want[0])
	}
	return Match(want[1:], got[1:])
}

// matchLine compares one line. Blanks at its end do not count.
func matchLine(want, got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(want, " ")), `\.\.\.`, `.*`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimRight(got, " "))
}
