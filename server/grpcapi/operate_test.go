package grpcapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"paddock/internal/zk"
)

// orders is an Operator that notes what it is asked and answers as a test wants.
type orders struct {
	asked []string
	err   error
}

func (o *orders) TransferLeadership(_ context.Context, to int64) (int64, error) {
	o.asked = append(o.asked, fmt.Sprint("transfer ", to))
	return 3, o.err
}

func (o *orders) Stop(_ context.Context, drain bool) error {
	o.asked = append(o.asked, fmt.Sprint("stop ", drain))
	return o.err
}

func (o *orders) TakeSnapshot(context.Context) (zk.Zxid, error) {
	o.asked = append(o.asked, "snapshot")
	return 0x100000007, o.err
}

func (o *orders) StreamSnapshot(_ context.Context, open func(zk.Zxid) io.Writer) error {
	o.asked = append(o.asked, "stream")
	if o.err == nil {
		_, o.err = open(9).Write(bytes.Repeat([]byte("snap"), chunkBytes/2))
	}
	return o.err
}

func (o *orders) SetLogLevel(level string) (string, error) {
	o.asked = append(o.asked, "level "+level)
	return "info", o.err
}

func (o *orders) ResetStatistics() { o.asked = append(o.asked, "reset") }

func TestOrdersReachTheOperatorAndItsRefusalsTheClient(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		code   codes.Code
		says   string
		reason string
	}{
		"done":             {nil, codes.OK, "", ""},
		"refused":          {fmt.Errorf("wrapped: %w", &Refusal{Reason: "server 2 leads"}), codes.FailedPrecondition, "server 2 leads", "NOT_POSSIBLE"},
		"aborted":          {&Refusal{Reason: "not in time", Aborted: true}, codes.Aborted, "not in time", "NOT_COMPLETED"},
		"out of time":      {context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded", ""},
		"the server stops": {errors.New("the server stops"), codes.Unavailable, "the server stops", "CONNECTIONLOSS"},
	} {
		t.Run(name, func(t *testing.T) {
			o := &orders{err: c.err}
			_, conn := serveOptions(t, Options{Status: full, Operator: o})
			leader, err := TransferLeadership(t.Context(), conn, 7)
			if status.Code(err) != c.code || status.Convert(err).Message() != c.says || err == nil && leader != 3 {
				t.Errorf("transfer: %d, %v", leader, err)
			}
			expect(t, err, c.code, c.reason)
			if err := Stop(t.Context(), conn, true); status.Code(err) != c.code || status.Convert(err).Message() != c.says {
				t.Errorf("stop: %v", err)
			}
			if got := fmt.Sprint(o.asked); got != "[transfer 7 stop true]" {
				t.Error(got)
			}
		})
	}
}

// TestOrdersComeThroughTheSocketOnly: whoever may open the data directory may give them, and nobody over the network.
func TestOrdersComeThroughTheSocketOnly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &orders{}
	s := New(Options{Status: full, Operator: o})
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }() // ends with Stop below
	defer func() {
		s.Stop()
		<-served
	}()
	conn, err := Dial(l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = TransferLeadership(t.Context(), conn, 7)
	expect(t, err, codes.PermissionDenied, "NOAUTH")
	expect(t, Stop(t.Context(), conn, false), codes.PermissionDenied, "NOAUTH")
	if len(o.asked) != 0 {
		t.Error(o.asked)
	}
}

func TestAServerWithoutAnOperatorTakesNoOrders(t *testing.T) {
	_, conn := serve(t, full)
	expect(t, Stop(t.Context(), conn, false), codes.Unimplemented, "UNIMPLEMENTED")
}
