package replica

import "testing"

// With the share switched on an empty bucket refuses more and more, whatever tokens come back, and a full one less.
func TestTheShareOfRefusedConnectionsFollowsTheBucket(t *testing.T) {
	var th throttle
	th.init(ThrottleConfig{Tokens: 10, FillMS: 1000, FillCount: 1, FreezeMS: 10, DropIncrease: 0.25, DropDecrease: 0.125, DecreaseRatio: 0.5}, 1, 0)
	now := int64(0)
	for range 10 {
		if !th.admit(now, false) {
			t.Fatal("refused while there are tokens")
		}
	}
	for i, want := range []float64{0.25, 0.5, 0.75, 1, 1} {
		now += 20
		if th.admit(now, false) {
			t.Fatalf("look %d: admitted without a token", i)
		}
		// A refusal for want of a token puts the next look off.
		if th.drop != want {
			t.Fatalf("look %d: %v, want %v", i, th.drop, want)
		}
	}
	now += 6000 // six tokens: less than half is used
	th.admit(now, false)
	if th.drop != 0.875 {
		t.Fatalf("share %v after the bucket filled", th.drop)
	}
	refused := 0
	th.drop, th.cfg.FreezeMS, th.tokens = 0.5, 1<<40, 1<<30
	for range 1000 {
		if !th.admit(now, false) {
			refused++
		}
	}
	if refused < 400 || refused > 600 {
		t.Errorf("%d of 1000 refused at a share of one half", refused)
	}
}

func TestSessionsCostTheirTokens(t *testing.T) {
	var th throttle
	th.init(ThrottleConfig{Tokens: 6, FillMS: 1000, FillCount: 1, FreezeMS: -1, NewTokens: 3, RenewTokens: 2}, 1, 0)
	for i, renew := range []bool{false, true} {
		if !th.admit(0, renew) {
			t.Fatalf("%d refused", i)
		}
	}
	if th.tokens != 1 || th.admit(0, true) {
		t.Fatalf("%d tokens left", th.tokens)
	}
}
