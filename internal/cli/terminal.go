package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/term"
)

const (
	// historyEnv names the environment variable that says in which file lines are kept; "off" for none.
	historyEnv = "PADDOCK_CLI_HISTORY"
	// historyMost is how many lines are kept.
	historyMost = 1000
	keyTab      = '\t'
)

// editor reads lines from a terminal. It is raw only while a line is read, so that a command can be interrupted as usual.
type editor struct {
	file    *os.File
	term    *term.Terminal
	reading atomic.Bool // the terminal is raw, and a line is being typed
}

// keyboard is the terminal as the line editor sees it: there, interrupting clears the line instead of ending all.
type keyboard struct {
	in  io.Reader
	out io.Writer
}

// Write implements io.Writer.
func (k keyboard) Write(b []byte) (int, error) { return k.out.Write(b) }

// Read implements io.Reader.
func (k keyboard) Read(b []byte) (int, error) {
	const ctrlC, ctrlU = "\x03", "\x05\x15" // the latter: go to the end, then delete to the beginning
	room := b
	if len(b) > 1 {
		room = b[:len(b)/2] // one byte may become two
	}
	n, err := k.in.Read(room)
	return copy(b, bytes.ReplaceAll(room[:n:n], []byte(ctrlC), []byte(ctrlU))), err
}

// interact reads commands from a terminal, if f is one; done tells whether it was.
func (s *Shell) interact(ctx context.Context, f *os.File) (done bool, err error) {
	if !term.IsTerminal(int(f.Fd())) {
		return false, nil
	}
	// An interrupt is for the command that runs; there is no other way to end while a line is read than to end the process.
	ctx = context.WithoutCancel(ctx)
	signal.Reset(syscall.SIGTERM)
	past := loadHistory()
	defer func() { err = errors.Join(err, past.save()) }()
	s.terminal = &editor{file: f, term: term.NewTerminal(keyboard{f, s.streams.Out}, "")}
	s.terminal.term.History = past
	s.terminal.term.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != keyTab {
			return "", 0, false
		}
		return s.tab(ctx, line, pos)
	}
	s.out.redirect(&switching{editor: s.terminal, plain: s.streams.Out})
	defer s.out.redirect(s.streams.Out)
	fmt.Fprintln(s.out, "Welcome to Paddock! help lists the commands, Tab completes them and paths.")
	s.out.flush()
	for !s.over {
		line, err := s.terminal.read(s.prompt())
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, err
		}
		s.interruptible(ctx, line)
	}
	return true, nil
}

// interruptible runs a line; an interrupt ends the command and not the shell.
func (s *Shell) interruptible(ctx context.Context, line string) {
	ctx, stop := interrupts(ctx)
	defer stop()
	s.runLine(ctx, line)
}

// read reads one line.
func (e *editor) read(prompt string) (string, error) {
	fd := int(e.file.Fd())
	was, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer term.Restore(fd, was)
	if w, h, err := term.GetSize(fd); err == nil && w > 0 {
		_ = e.term.SetSize(w, h) // it only redraws
	}
	e.term.SetPrompt(prompt)
	e.reading.Store(true)
	line, err := e.term.ReadLine()
	e.reading.Store(false)
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	return line, err
}

// history are the lines of this and of former runs, the oldest first. It implements term.History.
type history struct {
	path  string // "" to keep them nowhere
	lines []string
}

// historyPath is the file that lines are kept in, "" for none.
func historyPath() string {
	switch p := os.Getenv(historyEnv); p {
	case "off":
		return ""
	case "":
	default:
		return p
	}
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "paddock", "cli_history")
}

func loadHistory() *history {
	h := &history{path: historyPath()}
	if text, err := os.ReadFile(h.path); h.path != "" && err == nil {
		for line := range strings.Lines(string(text)) {
			h.Add(strings.TrimSuffix(line, "\n"))
		}
	}
	return h
}

// Add notes a line, unless it is like the one before, or has credentials in it.
func (h *history) Add(line string) {
	secret := strings.HasPrefix(strings.TrimSpace(line), "addauth")
	if strings.TrimSpace(line) == "" || secret || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	h.lines = h.lines[max(0, len(h.lines)-historyMost):]
}

// Len is how many lines there are.
func (h *history) Len() int { return len(h.lines) }

// At is a line, 0 the last one.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

// save writes the file, for nobody else to read.
func (h *history) save() error {
	if h.path == "" || len(h.lines) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(h.path, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
}
