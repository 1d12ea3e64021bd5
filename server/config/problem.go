package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Exit codes of the server process, as ZooKeeper's service units know them.
const (
	ExitConfig       = 2  // bad arguments or configuration
	ExitDataDir      = 3  // data directory not accessible
	ExitUnexpected   = 1  // a port is taken, a database is damaged
	ExitElectionPort = 14 // the election port could not be bound
)

// Problem is one reason why the server does not start.
type Problem struct {
	File    string // the file as the user named it; "" when no file is at fault
	Line    int    // 1-based line in File where the key begins; 0 when there is none
	Key     string // the key as it was written; "" when no key is at fault
	Problem string // what is wrong, without a final dot
	Fix     string // what to do about it; may be ""
	Exit    int    // process exit code; 0 means ExitConfig
}

// String is "<file>:<line>: <key>: <problem>; <fix>", without the parts that are empty.
// The key is not repeated when the problem names it.
func (p Problem) String() string { return render(p.File, p.Line, p.Key, p.Problem, p.Fix) }

// Error makes a single Problem usable as an error; the text is String's.
func (p Problem) Error() string { return p.String() }

// ExitCode is the code the process leaves with when this is its first problem.
func (p Problem) ExitCode() int {
	if p.Exit == 0 {
		return ExitConfig
	}
	return p.Exit
}

// Problems is everything that is wrong, in the order of files and lines. A non-empty Problems is an error.
type Problems []Problem

// Error is one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// ExitCode is the process exit code that err asks for: that of the first Problem in it, or
// ExitUnexpected for an error of another kind. nil is 0.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if many, ok := errors.AsType[Problems](err); ok && len(many) > 0 {
		return many[0].ExitCode()
	}
	if one, ok := errors.AsType[Problem](err); ok {
		return one.ExitCode()
	}
	return ExitUnexpected
}

// Level is how much a Notice matters.
type Level uint8

// Levels, from least to most urgent. Error still lets the server start, as ZooKeeper would.
const (
	Info Level = iota
	Warn
	Error
)

// String is "info", "warn" or "error".
func (l Level) String() string {
	switch l {
	case Info:
		return "info"
	case Warn:
		return "warn"
	default:
		return "error"
	}
}

// Notice is something the operator should know about a configuration that is good enough to start.
type Notice struct {
	Level   Level
	File    string // as in Problem
	Line    int    // as in Problem
	Key     string // as in Problem
	Message string // without a final dot
	Fix     string // may be ""
	Voters  int    // as many there are, if it is about that, which a reconfiguration changes; else 0
}

// String has the form of Problem.String; the level is not part of it.
func (n Notice) String() string { return render(n.File, n.Line, n.Key, n.Message, n.Fix) }

// EvenVoters is the notice about a number of voters that tolerates no more failures than one less; false for any other.
func EvenVoters(voters int) (n Notice, ok bool) {
	n = Notice{Level: Warn, Voters: voters, Message: "2 voters tolerate no failure, as 1 does", Fix: "use 3"}
	if voters > 2 {
		tolerated, noun := voters/2-1, "failures"
		if tolerated == 1 {
			noun = "failure"
		}
		n.Message, n.Fix = fmt.Sprintf("%d voters tolerate %d %s, as %d do", voters, tolerated, noun, voters-1), "use an odd number"
	}
	return n, voters > 0 && voters%2 == 0
}

func render(file string, line int, key, text, fix string) string {
	var b strings.Builder
	if file != "" {
		b.WriteString(file)
		if line > 0 {
			b.WriteByte(':')
			b.WriteString(strconv.Itoa(line))
		}
		b.WriteString(": ")
	}
	if key != "" && !strings.Contains(text, key) {
		b.WriteString(key)
		b.WriteString(": ")
	}
	b.WriteString(text)
	if fix != "" {
		b.WriteString("; ")
		b.WriteString(fix)
	}
	return oneLine(b.String())
}

// oneLine keeps a message that quotes a hostile file on one line of printable text.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}
