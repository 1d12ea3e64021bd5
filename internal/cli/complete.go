package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"paddock/internal/zk"
)

const (
	// completeMost is how long completing a path may take.
	completeMost = 2 * time.Second
	// completeShown is how many candidates are listed.
	completeShown = 100
)

// candidates are the ways to complete the last word before the cursor, and where that word begins. Paths end with a slash if
// there are znodes below.
func (s *Shell) candidates(ctx context.Context, before string) (start int, words []string) {
	start = strings.LastIndexAny(before, " \t\"'") + 1
	token := before[start:]
	switch first := strings.TrimSpace(before[:start]); {
	case strings.HasPrefix(token, "/"):
		return start, s.paths(ctx, token)
	case first == "" || first == "help":
		return start, matching(names(), token)
	case strings.HasPrefix(token, "-"):
		var flags []string
		if c := lookup(strings.Fields(first)[0]); c != nil {
			for _, o := range c.options.list {
				flags = append(flags, "-"+o.name)
			}
		}
		return start, matching(flags, token)
	}
	return start, nil
}

// matching are the words that begin with a token.
func matching(words []string, token string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return !strings.HasPrefix(w, token) })
}

// paths are the znodes that a path may be completed to.
func (s *Shell) paths(ctx context.Context, token string) []string {
	if s.backend == nil || !s.backend.State().Alive() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeMost)
	defer cancel()
	i := strings.LastIndexByte(token, '/')
	parent := max(token[:i], "/")
	r, err := do(ctx, s.backend, &zk.Request{Op: zk.OpGetChildren2, Path: parent})
	if err != nil {
		return nil
	}
	slices.Sort(r.Names)
	found := matching(r.Names, token[i+1:])
	for i, name := range found {
		found[i] = join(parent, name)
	}
	if len(found) == 1 { // more may follow, if it has children
		if r, err := do(ctx, s.backend, &zk.Request{Op: zk.OpExists, Path: found[0]}); err == nil && r.Stat.NumChildren > 0 {
			found[0] += "/"
		}
	}
	return found
}

// tab completes what is before the cursor as far as it is sure, or lists what it may be.
func (s *Shell) tab(ctx context.Context, line string, pos int) (string, int, bool) {
	start, words := s.candidates(ctx, line[:pos])
	if len(words) == 0 {
		return line, pos, true
	}
	sure := common(words)
	if len(words) == 1 && !strings.HasSuffix(sure, "/") {
		sure += " "
	}
	if len(sure) <= pos-start && len(words) > 1 {
		more := ""
		if n := len(words) - completeShown; n > 0 {
			words, more = words[:completeShown], fmt.Sprintf("  … and %d more", n)
		}
		fmt.Fprintf(s.terminal.term, "%s%s\n", strings.Join(words, "  "), more)
		return line, pos, true
	}
	return line[:start] + sure + line[pos:], start + len(sure), true
}

// common is what all words begin with.
func common(words []string) string {
	sure := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, sure) {
			sure = sure[:len(sure)-1]
		}
	}
	return sure
}

// Complete is what a shell may complete the arguments of `paddock cli` to: args are the words before the one that is being
// typed. Paths are asked of the server that -server names; nothing is said if it does not answer soon.
func Complete(ctx context.Context, args []string, typed string) []string {
	o, _ := parseInvocation(args)
	if len(o.command) == 0 && strings.HasPrefix(typed, "-") {
		return matching([]string{"-server", "-grpc", "-timeout", "-r", "-waitforconnection", "-client-configuration", "-help"}, typed)
	}
	sh := &Shell{}
	if strings.HasPrefix(typed, "/") {
		t, err := connectOptions{grpc: o.grpc}.target(o.server)
		if err != nil {
			return nil
		}
		sh.backend = connect(t, connectOptions{timeout: o.timeout, grpc: o.grpc}, nil)
		defer sh.backend.Close() // the session expires if the server does not hear of it
	}
	_, words := sh.candidates(ctx, strings.Join(append(slices.Clone(o.command), typed), " "))
	return words
}
