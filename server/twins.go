package server

import (
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/consensus/quorum"
)

// twins tells an operator of two servers with one id, which a copied data directory makes: to a leader each of them is the other one come
// back, and it turns each away for the other again and again.
type twins struct {
	log    zerolog.Logger
	warned *warned
	addr   func(consensus.LinkID) string // of the other side

	mu   sync.Mutex // guards all below
	here map[quorum.ServerID]*learner
	quit *time.Timer // ends the warning
}

// learner is a server as its links show it.
type learner struct {
	link  consensus.LinkID
	up    bool
	times int       // that a link took the place of one that was up
	first time.Time // of them
}

// A server whose network fails comes back while its old link seems to be up, too, but not so often.
const (
	twinTimes = 10
	twinSpan  = time.Minute
)

// up notes that a server has come.
func (w *twins) up(link consensus.LinkID, id quorum.ServerID) {
	if id == consensus.NoServer { // many may be that
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.here[id]
	if l == nil {
		if len(w.here) >= strangersMax {
			return
		}
		if w.here == nil {
			w.here = map[quorum.ServerID]*learner{}
		}
		l = &learner{}
		w.here[id] = l
	}
	before, was := l.link, l.up
	l.link, l.up = link, true
	if !was {
		return
	}
	now := time.Now()
	if l.times == 0 || now.Sub(l.first) > twinSpan {
		l.times, l.first = 0, now
	}
	if l.times++; l.times < twinTimes {
		return
	}
	l.times = 0
	one, other := w.addr(before), w.addr(link)
	w.warn(id, min(one, other), max(one, other))
}

// down notes that a link has ended.
func (w *twins) down(link consensus.LinkID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.here {
		if l.link == link {
			l.up = false
		}
	}
}

// warn warns until a while has passed without another reason.
func (w *twins) warn(id quorum.ServerID, one, other string) {
	text := fmt.Sprintf("two servers seem to have id %d, at %s and at %s: each takes the place of the other; stop one of them, and give it an id of its own", id, one, other)
	if !w.warned.has(aboutTwins) {
		w.log.Warn().Msg(text)
	}
	w.warned.set(aboutTwins, text)
	if w.quit != nil {
		w.quit.Stop()
	}
	w.quit = time.AfterFunc(twinSpan, func() { w.warned.clear(aboutTwins) })
}
