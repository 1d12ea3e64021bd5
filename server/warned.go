package server

import (
	"maps"
	"slices"
	"sync"
)

// warned is what `paddock status` warns of while it lasts, by what it is about. The zero warned is ready; any goroutine may use it.
type warned struct {
	mu   sync.Mutex
	text map[about]string
}

// about is what a warning is about; warnings are told in this order.
type about uint8

const (
	aboutMembers     about = iota // the members that the files list
	aboutLogDir                   // where the log is, or was
	aboutReconfig                 // a configuration of the ensemble that this server does not take over
	aboutLists                    // what the files of other members list
	aboutTwins                    // two servers with one id
	aboutMove                     // the client port
	aboutMoveSecure               // the client port over TLS
	aboutHTTPPort                 // one that is not open yet
	aboutMetricsPort              // the same
)

// set warns; true if nothing like it was said already.
func (w *warned) set(a about, text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.text[a] == text {
		return false
	}
	if w.text == nil {
		w.text = map[about]string{}
	}
	w.text[a] = text
	return true
}

// clear ends a warning, if there is one.
func (w *warned) clear(a about) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.text, a)
}

// has tells whether there is a warning.
func (w *warned) has(a about) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text[a] != ""
}

func (w *warned) list() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range slices.Sorted(maps.Keys(w.text)) {
		list = append(list, w.text[a])
	}
	return list
}
