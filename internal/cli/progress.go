package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	drawEvery = 100 * time.Millisecond // on a terminal
	lineEvery = 5 * time.Second        // elsewhere
	barWide   = 30
)

// progress tells how far a long command is: by a bar that is drawn again and again on a terminal, by a line now and then
// elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	what     string // "exported"
	total    int64  // 0 if not known
	done     int64  // of total
	znodes   int64
	bytes    int64
	began    time.Time
	told     time.Time
}

func newProgress(w io.Writer, what string, total int64) *progress {
	f, ok := w.(*os.File)
	now := time.Now()
	return &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd())), what: what, total: total, began: now, told: now}
}

// add counts a znode.
func (p *progress) add(bytes int) {
	p.znodes, p.bytes = p.znodes+1, p.bytes+int64(bytes)
	p.done++
	p.tell()
}

// tell says how far it is, if it is time to.
func (p *progress) tell() {
	every := lineEvery
	if p.terminal {
		every = drawEvery
	}
	if now := time.Now(); now.Sub(p.told) >= every {
		p.told = now
		p.say()
	}
}

func (p *progress) say() {
	share := ""
	if p.total > 0 {
		part := min(float64(p.done)/float64(p.total), 1)
		share = fmt.Sprintf("%3.0f%% ", 100*part)
		if p.terminal {
			n := int(part * barWide)
			share = "[" + strings.Repeat("#", n) + strings.Repeat(".", barWide-n) + "] " + share
		}
	}
	text := share + p.text()
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", text)
	} else {
		fmt.Fprintln(p.w, text)
	}
}

func (p *progress) text() string {
	return fmt.Sprintf("%s %d znodes, %s in %v", p.what, p.znodes, sizeText(p.bytes), time.Since(p.began).Round(time.Second))
}

// end says what was done.
func (p *progress) end(more string) {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	fmt.Fprintln(p.w, p.text()+more)
}
