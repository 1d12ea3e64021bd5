//go:build interop

package oracle

import (
	"fmt"
	"slices"
	"strings"
)

// stepKind is what a step does.
type stepKind int

const (
	stepOpen    stepKind = iota // open a connection, new session or re-attach
	stepSend                    // send one request, or several at once
	stepDrop                    // close a connection from the client's side, the session stays
	stepRestart                 // restart both servers
)

// step is one move of the game, in terms that mean the same to both servers.
type step struct {
	kind     stepKind
	slot     int
	connect  *connectSpec
	rawFirst []byte // instead of a ConnectRequest
	reqs     []*request
	chunk    int   // write in pieces of so many bytes, 0 for one write
	kicked   []int // connections that this step should end
	kill     bool  // restart by SIGKILL rather than SIGTERM
	denied   bool  // the first reply must be NoAuth, or NoNode
	closes   bool  // a session is closed: the order of its ephemerals' events is free
}

func (s *step) kicks(slot int) bool { return slices.Contains(s.kicked, slot) }

func (s *step) String() string {
	var b strings.Builder
	switch s.kind {
	case stepOpen:
		if s.rawFirst != nil {
			fmt.Fprintf(&b, "conn %d: open with raw bytes %x", s.slot, s.rawFirst)
		} else {
			fmt.Fprintf(&b, "conn %d: %s", s.slot, s.connect)
		}
	case stepSend:
		fmt.Fprintf(&b, "conn %d: send", s.slot)
	case stepDrop:
		fmt.Fprintf(&b, "conn %d: dropped by the client", s.slot)
	case stepRestart:
		fmt.Fprintf(&b, "restart both servers kill=%t", s.kill)
	}
	if s.chunk > 0 {
		fmt.Fprintf(&b, " in pieces of %d bytes", s.chunk)
	}
	for _, r := range s.reqs {
		fmt.Fprintf(&b, "\n      %s", r)
	}
	return b.String()
}
