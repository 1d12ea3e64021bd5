package admin

import (
	"fmt"
	"slices"
	"strings"
)

func (w *Words) srvr() []byte { return w.status(false) }

func (w *Words) stat() []byte { return w.status(true) }

// status is srvr, and with clients stat.
func (w *Words) status(clients bool) []byte {
	s, ok := w.src.Server()
	if !ok {
		return nil
	}
	b := fmt.Appendf(nil, "Zookeeper version: %s\n", w.version)
	if w.src.State() == StateReadOnly {
		b = append(b, "READ-ONLY mode; serving only read-only clients\n"...)
	}
	if clients {
		b = append(b, "Clients:\n"...)
		for _, c := range w.connections() {
			b = append(appendBrief(b, &c), ")\n"...)
		}
		b = append(b, '\n')
	}
	b = fmt.Appendf(b, "Latency min/avg/max: %d/", s.MinLatencyMS)
	b = appendMean(b, s.MeanLatencyMS)
	b = fmt.Appendf(b, "/%d\nReceived: %d\nSent: %d\nConnections: %d\nOutstanding: %d\nZxid: ",
		s.MaxLatencyMS, s.Received, s.Sent, s.Connections, s.Outstanding)
	b = appendHex(b, s.Zxid)
	b = fmt.Appendf(b, "\nMode: %s\nNode count: %d\n", s.Mode, s.Znodes)
	if l := s.Leading; l != nil {
		b = fmt.Appendf(b, "Proposal sizes last/min/max: %d/%d/%d\n", l.LastProposalBytes, l.MinProposalBytes, l.MaxProposalBytes)
	}
	return b
}

// cons lists the connections with all that is known of them.
func (w *Words) cons() []byte {
	var b []byte
	for _, c := range w.connections() {
		b = appendBrief(b, &c)
		if c.Session != 0 {
			b = appendHex(append(b, ",sid="...), c.Session)
			b = fmt.Appendf(b, ",lop=%s,est=%d,to=%d", c.LastOp, c.EstablishedMS, c.TimeoutMS)
			if c.LastCxid >= 0 {
				b = appendHex(append(b, ",lcxid="...), c.LastCxid)
			}
			b = appendHex(append(b, ",lzxid="...), c.LastZxid)
			b = fmt.Appendf(b, ",lresp=%d,llat=%d,minlat=%d,avglat=%d,maxlat=%d",
				c.LastReplyMS, c.LastLatencyMS, c.MinLatencyMS, c.MeanLatencyMS, c.MaxLatencyMS)
		}
		b = append(b, ")\n"...)
	}
	return append(b, '\n')
}

// connections are those of the source by address, so that two lists can be compared.
func (w *Words) connections() []Connection {
	list := w.src.Connections()
	slices.SortFunc(list, func(x, y Connection) int { return strings.Compare(x.Addr, y.Addr) })
	return list
}

// appendBrief appends a connection as stat prints it, but for the closing parenthesis.
func appendBrief(b []byte, c *Connection) []byte {
	b = appendAddr(append(b, ' '), c.Addr)
	return fmt.Appendf(b, "[%x](queued=%d,recved=%d,sent=%d", interest(c), c.Outstanding, c.Received, c.Sent)
}

// interest is what ZooKeeper would wait for on the connection: 1 to read, 4 to write. It does not read while it
// answers a four-letter word or opens a session, which is after the first frame.
func interest(c *Connection) int {
	n := 1
	if c.Received == 1 && c.Sent == 0 {
		n = 0
	}
	if c.Unsent > 0 {
		n |= 4
	}
	return n
}
