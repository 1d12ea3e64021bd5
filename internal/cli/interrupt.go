package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// interrupts is a context that ends when the user interrupts, until stop is called.
func interrupts(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt)
}

// hangups is a context that also ends when the terminal hangs up, which would end this program alone and leave what it has begun behind. Who
// started it to go on after that (nohup) is obeyed.
func hangups(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// switching writes through the line editor, so that the line being typed is drawn again below what is written; while none is
// being read, plainly, since the terminal is not raw then.
type switching struct {
	editor *editor
	plain  io.Writer
}

// Write implements io.Writer.
func (s *switching) Write(b []byte) (int, error) {
	if s.editor.reading.Load() {
		return s.editor.term.Write(b)
	}
	return s.plain.Write(b)
}
