package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func netstat(n int) string {
	return fmt.Sprintf("TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 5 %d 9\nIpExt: InNoRoutes\nIpExt: 0\n", n)
}

func TestOverflowsAreCountedAndToldOfOnceAMinute(t *testing.T) {
	var log bytes.Buffer
	m := newMetrics()
	o := newOverflows(m, zerolog.New(&log))
	now := time.Unix(1000, 0)
	o.look(netstat(7), now) // what was before counts for nothing
	o.look("", now)
	o.look("TcpExt: ListenOverflows\n", now)
	if log.Len() > 0 || o.count.Value() != 0 {
		t.Errorf("%d %s", o.count.Value(), &log)
	}
	for i := range 30 { // a minute, every two seconds
		o.look(netstat(8+i), now.Add(time.Duration(i)*2*time.Second))
	}
	if n := strings.Count(log.String(), "somaxconn"); n != 1 || !strings.Contains(log.String(), `"times":1,`) {
		t.Errorf("%d lines: %s", n, &log)
	}
	o.look(netstat(37), now.Add(2*time.Minute))
	if !strings.Contains(log.String(), `"times":29,`) || o.count.Value() != 30 {
		t.Errorf("%d %s", o.count.Value(), &log)
	}
}
