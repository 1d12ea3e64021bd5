package admin

import (
	"strconv"
	"sync/atomic"
	"time"

	"paddock/internal/metrics"
)

// Options are what the words need. Source is required.
type Options struct {
	Source Source
	// Enabled are the words that are answered; srvr always is, as zkServer.sh needs it. AllEnabled enables every word.
	Enabled    []string
	AllEnabled bool
	Version    Version
	// Metrics are listed by mntr and reset by srst; nil for none but zeros.
	Metrics *metrics.Registry
}

// Version is what srvr, stat, mntr and envi call the server.
type Version struct {
	// ZooKeeper is the release whose clients and tools are served, such as "3.8.0": they read the numbers.
	ZooKeeper string
	// Revision is printed after it and may say more, without a comma.
	Revision string
	Built    time.Time
}

// String is the form of ZooKeeper: 3.8.0-<revision>, built on 2006-01-02 15:04 UTC.
func (v Version) String() string {
	built := v.Built
	if built.IsZero() {
		built = time.Unix(0, 0)
	}
	return v.ZooKeeper + "-" + v.Revision + ", built on " + built.UTC().Format("2006-01-02 15:04") + " UTC"
}

const (
	notServing = "This ZooKeeper instance is not currently serving requests"
	// defaultTraceMask is the mask of ZooKeeper: client requests, sessions, and what the server warns of.
	defaultTraceMask = 0x132
)

// Words answers the four-letter words.
type Words struct {
	src     Source
	enabled map[string]bool
	version string
	metrics *metrics.Registry
	mask    atomic.Int64 // of stmk
}

// New returns the words of one server.
func New(o Options) *Words {
	w := &Words{src: o.Source, enabled: map[string]bool{"srvr": true}, version: o.Version.String(), metrics: o.Metrics}
	if w.metrics == nil {
		w.metrics = metrics.New()
	}
	w.mask.Store(defaultTraceMask)
	for _, name := range o.Enabled {
		w.enabled[name] = true
	}
	if o.AllEnabled {
		for name := range words {
			w.enabled[name] = true
		}
	}
	return w
}

// Answer is the text a four-letter word is answered with, for juteapi.Options. It is nil, which closes the connection,
// for what is no word and for an argument that does not come: arg reads the eight bytes that follow stmk. It may wait as
// long as Source and arg do.
func (w *Words) Answer(name string, arg func() (int64, bool)) []byte {
	it, ok := words[name]
	switch {
	case !ok:
		return nil
	case !w.enabled[name]:
		return []byte(name + " is not executed because it is not in the whitelist.\n")
	case it.when == always:
		return it.text(w, arg)
	}
	if s := w.src.State(); s == StateServing || s == StateReadOnly {
		if text := it.text(w, arg); text != nil {
			return text
		}
	}
	if it.when == servingBare {
		return []byte(notServing)
	}
	return []byte(notServing + "\n")
}

// when is when a word is answered.
type when uint8

const (
	serving     when = iota // by a server that serves; others say notServing
	servingBare             // the same, but they say it without a line end
	always
)

// word is what one word does. Its text is nil if the server cannot tell, or if its argument does not come.
type word struct {
	when when
	text func(w *Words, arg func() (int64, bool)) []byte
}

// plain is a word without an argument.
func plain(text func(*Words) []byte) func(*Words, func() (int64, bool)) []byte {
	return func(w *Words, _ func() (int64, bool)) []byte { return text(w) }
}

// words are all four-letter words.
var words = map[string]word{
	"conf": {serving, plain((*Words).conf)},
	"cons": {serving, plain((*Words).cons)},
	"crst": {serving, plain((*Words).crst)},
	"dirs": {serving, plain((*Words).dirs)},
	"dump": {serving, plain((*Words).dump)},
	"envi": {always, plain((*Words).envi)},
	"gtmk": {always, plain((*Words).gtmk)},
	"hash": {servingBare, plain((*Words).hash)},
	"isro": {always, plain((*Words).isro)},
	"mntr": {serving, plain((*Words).mntr)},
	"ruok": {always, plain((*Words).ruok)},
	"srst": {serving, plain((*Words).srst)},
	"srvr": {serving, plain((*Words).srvr)},
	"stat": {serving, plain((*Words).stat)},
	"stmk": {always, (*Words).stmk},
	"wchc": {serving, plain((*Words).wchc)},
	"wchp": {serving, plain((*Words).wchp)},
	"wchs": {serving, plain((*Words).wchs)},
}

func (w *Words) ruok() []byte { return []byte("imok") }

func (w *Words) isro() []byte {
	switch w.src.State() {
	case StateServing:
		return []byte("rw")
	case StateReadOnly:
		return []byte("ro")
	}
	return []byte("null")
}

func (w *Words) gtmk() []byte { return strconv.AppendInt(nil, w.mask.Load(), 10) }

// stmk sets a mask that nothing reads: ZooKeeper's chooses what it logs at a level that is off.
func (w *Words) stmk(arg func() (int64, bool)) []byte {
	mask, ok := arg()
	if !ok {
		return nil
	}
	w.mask.Store(mask)
	return strconv.AppendInt(nil, mask, 10)
}

func (w *Words) crst() []byte {
	w.ResetConnections()
	return []byte("Connection stats reset.\n")
}

func (w *Words) srst() []byte {
	w.ResetServer()
	return []byte("Server stats reset.\n")
}

// ResetServer is what srst does.
func (w *Words) ResetServer() {
	w.src.ResetServer()
	w.metrics.Reset()
}

// ResetConnections is what crst does.
func (w *Words) ResetConnections() { w.src.ResetConnections() }
