package session_test

import (
	"testing"

	"paddock/internal/zk"
	"paddock/server/session"
)

func TestNegotiate(t *testing.T) {
	for _, c := range []struct {
		name                         string
		requested, least, most, want int32
	}{
		{"a timeout within the bounds is granted", 10000, 4000, 40000, 10000},
		{"a short one is raised", 1, 4000, 40000, 4000},
		{"none at all is raised", 0, 4000, 40000, 4000},
		{"a negative one is raised", -5, 4000, 40000, 4000},
		{"a long one is lowered", 1 << 30, 4000, 40000, 40000},
		{"the maximum wins over a larger minimum", 10000, 50000, 40000, 40000},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := session.Negotiate(c.requested, c.least, c.most); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestIDsCountUpFromTheServersFirst(t *testing.T) {
	ids := session.NewIDs(3, 0x123456789a)
	for i := range zk.SessionID(5) {
		if got, want := ids.Next(), zk.SessionID(0x03123456789a0000)+i; got != want {
			t.Errorf("id %d is %v, want %v", i, got, want)
		}
	}
}

func TestIDsLeaveOutWhatIsNoSession(t *testing.T) {
	for _, serverID := range []int64{0, 0x80} {
		ids := session.NewIDs(serverID, 0)
		for range 3 {
			id := ids.Next()
			if owner, ok := zk.Owner(id).Session(); !ok || owner != id {
				t.Errorf("server %#x gave out %v, which owns nothing", serverID, id)
			}
		}
	}
}
