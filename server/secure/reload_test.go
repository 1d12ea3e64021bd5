package secure

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

func TestCertificatesThatExpireAreWarnedOf(t *testing.T) {
	// One is valid for a day, the other for a hundred years.
	day := options(stores + "expired.pem")
	dayEnd := time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)
	long := options(stores + "server.pem")
	longEnd := newTLS(t, long).expires()
	const name = "the certificate of CN=server,O=Paddock tests in " + stores + "server.pem"
	for _, tc := range []struct {
		what string
		o    Options
		now  time.Time
		want string
	}{
		{"three hours of a day left", day, dayEnd.Add(-3 * time.Hour), ""},
		{"two hours of a day left", day, dayEnd.Add(-2 * time.Hour), "the certificate of CN=expired,O=Paddock tests in " + stores + "expired.pem expires at 2020-01-02T00:00:00Z: renew it"},
		{"three weeks of a hundred years left", long, longEnd.Add(-21 * 24 * time.Hour), ""},
		{"a week of a hundred years left", long, longEnd.Add(-7 * 24 * time.Hour), name + " expires at " + longEnd.Format(time.RFC3339) + ": renew it"},
		{"nothing left", long, longEnd.Add(time.Second), name + " has expired at " + longEnd.Format(time.RFC3339) + ", and clients refuse it: renew it"},
	} {
		now := dayEnd.Add(-12 * time.Hour) // when it is loaded
		if tc.o.Key.Path == long.Key.Path {
			now = longEnd.AddDate(-50, 0, 0)
		}
		tc.o.Clock = func() time.Time { return now }
		s := newTLS(t, tc.o)
		if now = tc.now; s.Warning() != tc.want {
			t.Errorf("%s: %q, want %q", tc.what, s.Warning(), tc.want)
		}
	}
}

func TestTheLogWarnsOncePerDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		began := time.Now()
		o := options(stores + "expired.pem")
		o.Logger = zerolog.New(&log)
		o.Clock = func() time.Time { return time.Date(2020, 1, 1, 12, 0, 0, 0, time.UTC).Add(time.Since(began)) }
		s := newTLS(t, o)
		ctx, cancel := context.WithTimeout(t.Context(), 62*time.Hour)
		defer cancel()
		s.Watch(ctx, false)
		if soon, late := strings.Count(log.String(), "expires at"), strings.Count(log.String(), "has expired at"); soon != 1 || late != 3 {
			t.Errorf("%d times that it expires, %d that it has:\n%s", soon, late, &log)
		}
	})
}
