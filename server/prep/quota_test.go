package prep

import (
	"testing"

	"paddock/internal/zk"
)

// quota are the requests that put a quota on /q.
func quota(limits string) []zk.Request {
	node := func(path, data string) zk.Request {
		r := create(path)
		r.Data = []byte(data)
		return r
	}
	return []zk.Request{
		node("/q", ""), node("/zookeeper/quota/q", ""), node("/zookeeper/quota/q/zookeeper_limits", limits),
		node("/zookeeper/quota/q/zookeeper_stats", ""),
	}
}

func TestQuotas(t *testing.T) {
	sized := func(path string, n int) zk.Request {
		r := create(path)
		r.Data = make([]byte, n)
		return r
	}
	resized := func(path string, n int) zk.Request {
		r := set(path, "", -1)
		r.Data = make([]byte, n)
		return r
	}
	const (
		soft      = "count=2,bytes=10"
		hardCount = "count=1,bytes=-1=;byteHardLimit=-1;countHardLimit=3"
		hardBytes = "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=-1"
	)
	cases := map[string]struct {
		limits string
		lax    bool // quotas only count
		given  []zk.Request
		req    zk.Request
		want   zk.Code
	}{
		"the znode with the quota counts itself":              {limits: hardCount, given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0)}, req: sized("/q/3", 0), want: zk.QuotaExceeded},
		"up to the limit":                                     {limits: hardCount, given: []zk.Request{sized("/q/1", 0)}, req: sized("/q/2", 0)},
		"a soft limit does not refuse":                        {limits: soft, given: []zk.Request{sized("/q/1", 99)}, req: sized("/q/2", 99)},
		"quotas that are not enforced do not refuse":          {limits: hardCount, lax: true, given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0)}, req: sized("/q/3", 0)},
		"bytes up to the limit":                               {limits: hardBytes, given: []zk.Request{sized("/q/1", 4)}, req: sized("/q/2", 6)},
		"bytes beyond it":                                     {limits: hardBytes, given: []zk.Request{sized("/q/1", 4)}, req: sized("/q/2", 7), want: zk.QuotaExceeded},
		"no bytes more are always allowed":                    {limits: hardBytes, given: []zk.Request{sized("/q/1", 10)}, req: sized("/q/2", 0)},
		"setData counts the difference":                       {limits: hardBytes, given: []zk.Request{sized("/q/1", 6)}, req: resized("/q/1", 10)},
		"setData beyond the limit":                            {limits: hardBytes, given: []zk.Request{sized("/q/1", 6)}, req: resized("/q/1", 11), want: zk.QuotaExceeded},
		"setData that shrinks":                                {limits: hardBytes, given: []zk.Request{sized("/q/1", 10)}, req: resized("/q/1", 1)},
		"setData counts no znodes":                            {limits: hardCount, given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0)}, req: resized("/q/1", 50)},
		"the quota comes before the version":                  {limits: hardBytes, given: []zk.Request{sized("/q/1", 6)}, req: zk.Request{Op: zk.OpSetData, Path: "/q/1", Data: make([]byte, 99), Version: 7}, want: zk.QuotaExceeded},
		"deletes give room":                                   {limits: hardCount, given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0), remove("/q/1", 0)}, req: sized("/q/3", 0)},
		"other paths are free":                                {limits: hardCount, given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0)}, req: sized("/qq", 0)},
		"a name that exists is reported first":                {limits: hardCount, given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0)}, req: sized("/q/1", 0), want: zk.NodeExists},
		"text that is no quota limits nothing":                {limits: "three", given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0)}, req: sized("/q/3", 0)},
		"an ephemeral parent is reported first":               {limits: hardCount, given: []zk.Request{made("/q/e", zk.Ephemeral), sized("/q/2", 0)}, req: sized("/q/e/1", 0), want: zk.NoChildrenForEphemerals},
		"a container is a znode too":                          {limits: hardCount, given: []zk.Request{container("/q/c"), sized("/q/2", 0)}, req: container("/q/d"), want: zk.QuotaExceeded},
		"a limit raised by a client holds once it is there":   {limits: hardCount, given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0), set("/zookeeper/quota/q/zookeeper_limits", "count=99,bytes=-1", -1)}, req: sized("/q/3", 0)},
		"a quota is gone once its limits are":                 {limits: hardCount, given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0), remove("/zookeeper/quota/q/zookeeper_limits", -1)}, req: sized("/q/3", 0)},
		"a quota without its counters limits nothing":         {limits: hardCount, given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0), remove("/zookeeper/quota/q/zookeeper_stats", -1)}, req: sized("/q/3", 0)},
		"one operation of a multi fails it":                   {limits: hardCount, given: []zk.Request{sized("/q/1", 0), sized("/q/2", 0)}, req: multi(sized("/a", 0), sized("/q/3", 0)), want: zk.QuotaExceeded},
		"a multi may overshoot, since only the applied count": {limits: hardCount, given: []zk.Request{sized("/q/1", 0)}, req: multi(sized("/q/2", 0), sized("/q/3", 0), sized("/q/4", 0))},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLeader(t, Config{EnforceQuota: !c.lax})
			l.do(quota(c.limits)...)
			l.do(c.given...)
			rec := l.judge(c.req)
			got := codeOf(&rec)
			for i := range rec.Txn.Ops {
				if got == zk.OK && rec.Txn.Ops[i].Type == zk.OpError {
					got = rec.Txn.Ops[i].Err
				}
			}
			if got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
			l.land()
		})
	}
}

// What is in flight is in no counter yet, so pipelined creates may overshoot.
func TestQuotasDoNotCountWhatIsInFlight(t *testing.T) {
	l := newLeader(t, Config{EnforceQuota: true})
	l.do(quota("count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2")...)
	for _, path := range []string{"/q/1", "/q/2", "/q/3"} {
		if rec := l.judge(create(path)); codeOf(&rec) != zk.OK {
			t.Errorf("%s: %v", path, codeOf(&rec))
		}
	}
	l.land()
	if rec := l.judge(create("/q/4")); codeOf(&rec) != zk.QuotaExceeded {
		t.Errorf("once they are applied: %v", codeOf(&rec))
	}
	l.land()
}

// How much a setData adds is measured against the data that is in flight, though the counters are not.
func TestSetDataInFlightIsMeasuredAgainstTheDataBeforeIt(t *testing.T) {
	sized := func(r zk.Request, n int) zk.Request {
		r.Data = make([]byte, n)
		return r
	}
	given := append(quota("count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=-1"), sized(create("/q/old"), 6))
	cases := map[string]struct {
		flying zk.Request
		req    zk.Request
		want   zk.Code
	}{
		"a new znode grows a little":        {flying: sized(create("/q/new"), 4), req: sized(set("/q/new", "", 0), 5)},
		"a new znode grows too far":         {flying: sized(create("/q/new"), 1), req: sized(set("/q/new", "", 0), 6), want: zk.QuotaExceeded},
		"a znode shrinks and grows too far": {flying: sized(set("/q/old", "", 0), 0), req: sized(set("/q/old", "", 1), 5), want: zk.QuotaExceeded},
		"a znode grows and grows a little":  {flying: sized(set("/q/old", "", 0), 10), req: sized(set("/q/old", "", 1), 11)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLeader(t, Config{EnforceQuota: true})
			l.do(given...)
			for _, step := range []struct {
				req  zk.Request
				want zk.Code
			}{{c.flying, zk.OK}, {c.req, c.want}} {
				if rec := l.judge(step.req); codeOf(&rec) != step.want {
					t.Errorf("%v %s of %d bytes: %v, want %v", step.req.Op, step.req.Path, len(step.req.Data), codeOf(&rec), step.want)
				}
			}
			l.land()
		})
	}
}
