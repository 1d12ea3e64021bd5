package replica

import "math/rand/v2"

// ThrottleConfig limits how fast sessions are opened and taken up again. The zero value is no limit.
//
// ZooKeeper compatibility: a bucket of tokens, and before it, if FreezeMS is not negative, a share of connections drawn at
// random that grows while the bucket is empty and shrinks while it is full enough.
type ThrottleConfig struct {
	Tokens    int32 // the size of the bucket; 0 switches the throttle off
	FillMS    int64 // every so often FillCount tokens come back
	FillCount int32
	// NewTokens and RenewTokens are what a new session costs, and one that is taken up again; 0 stands for 1.
	NewTokens, RenewTokens int32

	FreezeMS                   int64   // how long the share stays as it is; negative for no share
	DropIncrease, DropDecrease float64 // of the share
	DecreaseRatio              float64 // the share shrinks while at most this part of the tokens is used
}

// throttle is the state of the throttle.
type throttle struct {
	cfg      ThrottleConfig
	rand     *rand.Rand
	tokens   int32
	filledMS int64
	frozenMS int64   // when the share was looked at last
	drop     float64 // the share of connections that is refused
}

func (t *throttle) init(cfg ThrottleConfig, seed uint64, nowMS int64) {
	cfg.NewTokens, cfg.RenewTokens = max(cfg.NewTokens, 1), max(cfg.RenewTokens, 1)
	*t = throttle{cfg: cfg, rand: rand.New(rand.NewPCG(seed, 1)), tokens: cfg.Tokens, filledMS: nowMS, frozenMS: nowMS}
}

// admit takes the tokens of a connection, if there are enough.
func (t *throttle) admit(nowMS int64, renew bool) bool {
	if t.cfg.Tokens <= 0 {
		return true
	}
	if passed := nowMS - t.filledMS; passed > t.cfg.FillMS {
		refill := passed * int64(t.cfg.FillCount) / max(t.cfg.FillMS, 1)
		t.tokens = int32(min(int64(t.tokens)+refill, int64(t.cfg.Tokens)))
		t.filledMS = nowMS
	}
	if t.cfg.FreezeMS >= 0 && !t.spared(nowMS) {
		return false
	}
	need := t.cfg.NewTokens
	if renew {
		need = t.cfg.RenewTokens
	}
	if t.tokens < need {
		t.frozenMS = nowMS
		return false
	}
	t.tokens -= need
	return true
}

// spared moves the share of connections that are refused at random, and draws.
func (t *throttle) spared(nowMS int64) bool {
	if nowMS-t.frozenMS > t.cfg.FreezeMS {
		used := float64(t.cfg.Tokens - t.tokens)
		switch {
		case t.tokens <= 0:
			t.drop = min(t.drop+t.cfg.DropIncrease, 1)
		case used <= float64(t.cfg.Tokens)*t.cfg.DecreaseRatio:
			t.drop = max(t.drop-t.cfg.DropDecrease, 0)
		}
		t.frozenMS = nowMS
	}
	return t.rand.Float64() >= t.drop
}
