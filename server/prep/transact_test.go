package prep

import (
	"testing"

	"paddock/internal/zk"
)

func TestGuardsSeeWhatIsInFlight(t *testing.T) {
	given := []zk.Request{create("/a"), set("/a", "data", 0), create("/a/b"), create("/n"), guarded(create("/own"), zk.PermAll&^zk.PermRead, zk.AnyoneID), create("/gone"), remove("/gone", -1), set("/n", "", -1)}
	for name, c := range map[string]struct {
		guards []zk.Guard
		want   zk.Branch // 0: the code
		code   zk.Code
	}{
		"none":                                   {nil, zk.BranchThen, 0},
		"there":                                  {[]zk.Guard{{Kind: zk.GuardExists, Path: "/a"}}, zk.BranchThen, 0},
		"not there":                              {[]zk.Guard{{Kind: zk.GuardExists, Path: "/gone"}}, zk.BranchElse, 0},
		"absent":                                 {[]zk.Guard{{Kind: zk.GuardAbsent, Path: "/gone"}}, zk.BranchThen, 0},
		"absent and there":                       {[]zk.Guard{{Kind: zk.GuardAbsent, Path: "/"}}, zk.BranchElse, 0},
		"version":                                {[]zk.Guard{{Kind: zk.GuardVersion, Path: "/a", Version: 1}}, zk.BranchThen, 0},
		"version of before":                      {[]zk.Guard{{Kind: zk.GuardVersion, Path: "/a"}}, zk.BranchElse, 0},
		"version -1 is no wildcard":              {[]zk.Guard{{Kind: zk.GuardVersion, Path: "/a", Version: -1}}, zk.BranchElse, 0},
		"mzxid":                                  {[]zk.Guard{{Kind: zk.GuardMzxid, Path: "/a", Zxid: 2}}, zk.BranchThen, 0},
		"mzxid of its creation":                  {[]zk.Guard{{Kind: zk.GuardMzxid, Path: "/a", Zxid: 1}}, zk.BranchElse, 0},
		"mzxid of what is missing":               {[]zk.Guard{{Kind: zk.GuardMzxid, Path: "/gone"}}, zk.BranchElse, 0},
		"data":                                   {[]zk.Guard{{Kind: zk.GuardData, Path: "/a", Data: []byte("data")}}, zk.BranchThen, 0},
		"other data":                             {[]zk.Guard{{Kind: zk.GuardData, Path: "/a", Data: []byte("date")}}, zk.BranchElse, 0},
		"no data":                                {[]zk.Guard{{Kind: zk.GuardData, Path: "/n", Data: []byte{}}}, zk.BranchThen, 0},
		"data of what is missing":                {[]zk.Guard{{Kind: zk.GuardData, Path: "/gone"}}, zk.BranchElse, 0},
		"all":                                    {[]zk.Guard{{Kind: zk.GuardExists, Path: "/a"}, {Kind: zk.GuardAbsent, Path: "/b"}, {Kind: zk.GuardExists, Path: "/n"}}, zk.BranchThen, 0},
		"one does not":                           {[]zk.Guard{{Kind: zk.GuardExists, Path: "/a"}, {Kind: zk.GuardAbsent, Path: "/n"}, {Kind: zk.GuardExists, Path: "/n"}}, zk.BranchElse, 0},
		"hidden":                                 {[]zk.Guard{{Kind: zk.GuardExists, Path: "/own"}}, 0, zk.NoAuth},
		"hidden, after one that does not hold":   {[]zk.Guard{{Kind: zk.GuardExists, Path: "/gone"}, {Kind: zk.GuardAbsent, Path: "/own"}}, 0, zk.NoAuth},
		"a path that is none":                    {[]zk.Guard{{Kind: zk.GuardExists, Path: "a"}}, 0, zk.BadArguments},
		"a kind that is none":                    {[]zk.Guard{{Path: "/a"}}, 0, zk.BadArguments},
		"a null path":                            {[]zk.Guard{{Kind: zk.GuardAbsent, Path: null}}, 0, zk.BadArguments},
		"data that waited behind another change": {[]zk.Guard{{Kind: zk.GuardData, Path: "/a", Data: []byte("data")}, {Kind: zk.GuardExists, Path: "/a/b"}}, zk.BranchThen, 0},
	} {
		for how, applied := range map[string]int{"applied": len(given), "in flight": 0, "half": 2} {
			t.Run(name+"/"+how, func(t *testing.T) {
				l := newLeader(t, Config{})
				for i, req := range given {
					if l.judge(req); i < applied {
						l.land()
					}
				}
				rec := l.judge(zk.Request{Op: zk.OpTransact, Guards: c.guards, Ops: []zk.Request{create("/then")}, Else: []zk.Request{create("/else"), remove("/n", -1)}})
				if c.want == 0 {
					if rec.Header.Type != zk.OpError || rec.Txn.Err != c.code {
						t.Fatalf("%+v", rec)
					}
					return
				}
				first := rec.Txn.Ops[0]
				if rec.Header.Type != zk.OpMulti || first.Type != zk.OpCheck || first.Path != zk.RootPath || zk.Branch(first.Version) != c.want || rec.Txn.Failed() {
					t.Fatalf("%+v", rec)
				}
				if path := map[zk.Branch]string{zk.BranchThen: "/then", zk.BranchElse: "/else"}[c.want]; rec.Txn.Ops[1].Path != path || len(rec.Txn.Ops) != 1+int(c.want) {
					t.Errorf("%+v", rec.Txn.Ops)
				}
			})
		}
	}
}

func TestATransactionIsAllOrNothing(t *testing.T) {
	l := newLeader(t, Config{})
	l.judge(create("/a"))
	before := l.prep.over.digest
	rec := l.judge(zk.Request{Op: zk.OpTransact, Ops: []zk.Request{set("/a", "1", -1), create("/a"), create("/b")}})
	if ops := rec.Txn.Ops; len(ops) != 4 || ops[2].Err != zk.NodeExists || ops[3].Err != zk.RuntimeInconsistency || l.prep.over.digest != before {
		t.Errorf("%+v", rec.Txn)
	}
	for _, op := range []zk.Request{setACL("/a", zk.OpenACL, -1), {Op: zk.OpDeleteContainer, Path: "/a"}} {
		if rec := l.judge(zk.Request{Op: zk.OpTransact, Ops: []zk.Request{op}}); rec.Txn.Err != zk.Unimplemented {
			t.Errorf("%v: Java would drop %+v", op.Op, rec.Txn)
		}
	}
}
