package cli

import (
	"bufio"
	"io"
	"sync"
)

// screenBytes is how much output is gathered before it is written.
const screenBytes = 32 << 10

// screen is the standard output: what commands print, and from another goroutine what watches report.
type screen struct {
	mu  sync.Mutex // guards all below
	w   *bufio.Writer
	err error // of the first write that failed
}

func newScreen(w io.Writer) *screen { return &screen{w: bufio.NewWriterSize(w, screenBytes)} }

// Write implements io.Writer.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.w.Write(b)
	s.keep(err)
	return n, err
}

// flush shows all that was written.
func (s *screen) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(s.w.Flush())
}

// redirect shows what was written and has all else go to w.
func (s *screen) redirect(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(s.w.Flush())
	s.w.Reset(w)
}

// keep remembers the first error. mu is held.
func (s *screen) keep(err error) {
	if s.err == nil {
		s.err = err
	}
}

// broken is the error of the first write that failed.
func (s *screen) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
