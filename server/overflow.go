package server

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"paddock/internal/metrics"
)

// overflows watches how often clients came faster than connections were accepted: the system counts it, for all ports of
// the host or container together.
type overflows struct {
	count *metrics.Counter
	log   zerolog.Logger
	last  int64     // as the system counted it; -1 before the first look
	since int64     // that the log has not been told of
	told  time.Time // when it was
}

func newOverflows(m *serverMetrics, log zerolog.Logger) *overflows {
	return &overflows{count: m.registry.Counter("listen_overflows"), log: log, last: -1}
}

// look compares text, which is /proc/net/netstat, with what it was before.
func (o *overflows) look(text string, now time.Time) {
	n, ok := listenOverflows(text)
	if !ok {
		return
	}
	if o.last >= 0 && n > o.last {
		o.count.Add(n - o.last)
		o.since += n - o.last
	}
	o.last = n
	if o.since > 0 && now.Sub(o.told) >= complainEvery {
		o.log.Warn().Int64("times", o.since).Msg("an accept queue of this host was full, so that clients wait or fail; raise net.core.somaxconn")
		o.since, o.told = 0, now
	}
}

// readNetstat is /proc/net/netstat; "" where there is none.
func readNetstat() string {
	text, err := os.ReadFile("/proc/net/netstat")
	if err != nil {
		return ""
	}
	return string(text)
}

// listenOverflows finds the figure: names are in one line, values in the next, in the same order.
func listenOverflows(text string) (n int64, ok bool) {
	var names []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "TcpExt:" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i, name := range names {
			if name == "ListenOverflows" && i < len(f) {
				n, err := strconv.ParseInt(f[i], 10, 64)
				return n, err == nil
			}
		}
		return 0, false
	}
	return 0, false
}
