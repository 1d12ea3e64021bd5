package grpcapi

import (
	"encoding/binary"
	"net"

	"paddock/server/admission"
)

const (
	goAway   = 7  // a frame of HTTP/2
	calmDown = 11 // ENHANCE_YOUR_CALM, its reason
)

func newGate(o *Options) *admission.Gate {
	return admission.New(admission.Options{
		Door: "grpc", Logger: o.Logger, Rejected: o.Rejected, Farewell: farewell,
		PerAddress: o.MaxClientCnxns, PerAddressKey: "maxClientCnxns", InAll: o.MaxCnxns, InAllKey: "maxCnxns",
	})
}

// Limit returns l with at most Options.MaxClientCnxns connections of one address and Options.MaxCnxns in all. Further ones are closed; where
// they are plain, without transport security, they are told why.
func (s *Server) Limit(l net.Listener, plain bool) net.Listener { return s.gate.Listen(l, plain) }

// SetMaxClientCnxns changes how many connections one address may have; 0 for any number. Those that are open stay.
func (s *Server) SetMaxClientCnxns(n int) { s.gate.SetPerAddress(n) }

// farewell is what a server says in HTTP/2 that closes a connection at once: its settings, and GOAWAY with the reason.
func farewell(text string) []byte {
	b := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0}
	n := 8 + len(text)
	b = append(b, byte(n>>16), byte(n>>8), byte(n), goAway, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, 0) // of no stream
	b = binary.BigEndian.AppendUint32(b, calmDown)
	return append(b, text...)
}
