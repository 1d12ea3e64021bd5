package server

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/server/admin"
	"paddock/server/replica"
)

func TestRefusedClientsAreCountedByAddress(t *testing.T) {
	m := newMetrics()
	hooks := m.hooks()
	for range 3 {
		hooks.Rejected("max_client_cnxns", netip.MustParseAddr("10.0.0.1"))
	}
	m.count(replica.Note{Kind: replica.ClientAhead, Text: "10.0.0.2"})
	m.count(replica.Note{Kind: replica.ClientAhead, Text: "10.0.0.2"})
	m.count(replica.Note{Kind: replica.ClientThrottled, Text: "10.0.0.1"})
	want := []admin.Refused{{Address: "10.0.0.1", Reason: "max_client_cnxns", Times: 3}, {Address: "10.0.0.2", Reason: "client_zxid_ahead", Times: 2},
		{Address: "10.0.0.1", Reason: "connection_throttle_tokens", Times: 1}}
	if got := m.refused.list(time.Time{}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got := m.refused.warnings(time.Now())
	for i, part := range []string{"client 10.0.0.1 was turned away, 3 times so far: ", "restore the data", "connection_throttle_tokens"} {
		if len(got) != 3 || !strings.Contains(got[i], part) {
			t.Errorf("status does not say %q in line %d: %q", part, i, got)
		}
	}
	if got := m.refused.warnings(time.Now().Add(2 * refusedFor)); len(got) != 0 {
		t.Errorf("long after it says %q", got)
	}
}

func TestRefusedAddressesAreBounded(t *testing.T) {
	var r refused
	at := func(i int) time.Time { return time.Unix(int64(i), 0) }
	for i := range 3 * refusedMax {
		r.add(fmt.Sprint("10.0.0.", i), refusedAhead, at(i))
		r.add("10.9.9.9", "max_client_cnxns", at(i))
	}
	all := r.list(time.Time{})
	if len(all) != refusedMax || all[0] != (admin.Refused{Address: "10.9.9.9", Reason: "max_client_cnxns", Times: 3 * refusedMax}) {
		t.Errorf("%d are remembered, the first is %v", len(all), all[0])
	}
	list := r.warnings(at(3 * refusedMax))
	if len(list) != refusedNamed+1 || !strings.HasPrefix(list[refusedNamed], fmt.Sprintf("%d more", refusedMax-refusedNamed)) {
		t.Errorf("status says %q", list)
	}
}

// Every reason that a door or the replica has says what to do.
func TestEveryRefusalHasARemedy(t *testing.T) {
	for _, reason := range []string{"max_client_cnxns", "max_cnxns", "descriptors", refusedAhead, refusedThrottled} {
		if refusedRemedies[reason] == "" {
			t.Errorf("%s has none", reason)
		}
	}
}
