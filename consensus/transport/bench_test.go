package transport

import (
	"context"
	"fmt"
	"testing"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/freeport"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// counter is a Handler that counts, and answers each message if it is told to.
type counter struct {
	links   chan consensus.LinkID
	arrived chan int
	echo    func(link consensus.LinkID)
}

func (c *counter) Notified(quorum.ServerID, *election.Notification)              {}
func (c *counter) PeerUp(quorum.ServerID)                                        {}
func (c *counter) PeerDown(quorum.ServerID)                                      {}
func (c *counter) LinkUp(l consensus.LinkID, _ quorum.ServerID, _ bool)          { c.links <- l }
func (c *counter) DialFailed(quorum.ServerID, error)                             { c.links <- 0 }
func (c *counter) LinkAlive(consensus.LinkID)                                    {}
func (c *counter) ViewRead(consensus.LinkID, *tree.View)                         {}
func (c *counter) LinkDown(consensus.LinkID, error)                              {}
func (c *counter) ReceivedSnap(consensus.LinkID, *consensus.Message, *tree.Tree) {}
func (c *counter) Received(l consensus.LinkID, m []consensus.Message, _ func()) bool {
	if c.echo != nil {
		c.echo(l)
	} else {
		c.arrived <- len(m)
	}
	return true
}

// pair is two transports with a link between them.
func pair(b *testing.B) (from *Transport, link consensus.LinkID, sink, source *counter, to *Transport) {
	b.Helper()
	text, all := "", freeport.TakeSeveral(b, 4)
	for i := range 2 {
		text += fmt.Sprintf("server.%d=127.0.0.1:%d:%d\n", i+1, all[2*i], all[2*i+1])
	}
	c, err := quorum.ParseConfig(text)
	if err != nil {
		b.Fatal(err)
	}
	sink = &counter{links: make(chan consensus.LinkID, 100), arrived: make(chan int, 1000)}
	source = &counter{links: make(chan consensus.LinkID, 100), arrived: make(chan int, 1000)}
	run := func(id quorum.ServerID, h Handler) *Transport {
		opt := options(id, c)
		opt.Handler = h
		t, err := New(opt)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- t.Run(ctx) }()
		b.Cleanup(func() { cancel(); <-done })
		return t
	}
	to, from = run(1, sink), run(2, source)
	for link == 0 {
		from.Dial(1)
		link = <-source.links
	}
	from.Send(link, introduced(2))
	<-sink.links
	<-sink.arrived
	return from, link, sink, source, to
}

// BenchmarkProposals: how fast proposals and their commits get from one process's memory into another's.
func BenchmarkProposals(b *testing.B) {
	from, link, sink, _, _ := pair(b)
	p := consensus.Message{Kind: consensus.MsgProposal, Payload: make([]byte, 200)}
	c := consensus.Message{Kind: consensus.MsgCommit}
	sent, got := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		p, c := p, c
		p.Zxid, c.Zxid = zk.Zxid(sent+1), zk.Zxid(sent+1)
		from.Send(link, &p)
		from.Send(link, &c)
		for sent++; 2*sent-got > 10_000; {
			got += <-sink.arrived
		}
	}
	for got < 2*sent {
		got += <-sink.arrived
	}
}

// BenchmarkThereAndBack: a proposal and the ack that answers it.
func BenchmarkThereAndBack(b *testing.B) {
	from, link, sink, source, to := pair(b)
	ack := &consensus.Message{Kind: consensus.MsgAck, Zxid: 1}
	sink.echo = func(l consensus.LinkID) { to.Send(l, ack) }
	p := &consensus.Message{Kind: consensus.MsgProposal, Payload: make([]byte, 200)}
	b.ReportAllocs()
	for b.Loop() {
		from.Send(link, p)
		<-source.arrived
	}
}
