package prep

import (
	"strings"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/storage/tree"
)

// members is an Ensemble of which a test says what it is.
type members struct {
	committed, seen *quorum.Config
	synced          zk.Code // what CheckReconfig says
}

func (m *members) Ensemble() *quorum.Config               { return m.committed }
func (m *members) LastSeen() *quorum.Config               { return m.seen }
func (m *members) CheckReconfig(_ *quorum.Config) zk.Code { return m.synced }

const three = "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\nserver.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181\n" +
	"server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181"

func parse(t *testing.T, text string) *quorum.Config {
	t.Helper()
	c, err := quorum.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wish is what a reconfig asks for; nothing stands for null.
func wish(joining, leaving, whole string, version int64) *zk.Members {
	m := &zk.Members{Joining: joining, Leaving: leaving, Whole: whole, Version: version}
	for _, s := range []*string{&m.Joining, &m.Leaving, &m.Whole} {
		if *s == "" {
			*s = jute.Null()
		}
	}
	return m
}

var super = []zk.ID{{Scheme: "super", ID: ""}}

func TestReconfigIsJudgedInZooKeepersOrder(t *testing.T) {
	hierarchy := three + "\ngroup.1=1\ngroup.2=2\ngroup.3=3\nversion=5"
	four := "server.4=10.0.0.4:2888:3888;2181"
	for name, c := range map[string]struct {
		change func(*Config, *Asker, *members)
		want   *zk.Members
		code   zk.Code
		ids    string // of the servers in the new configuration
	}{
		"switched off, whoever asks":                {change: func(c *Config, by *Asker, _ *members) { c.Reconfig, by.State = false, zk.SessionExpired }, code: zk.ReconfigDisabled},
		"of a session that is over":                 {change: func(c *Config, by *Asker, _ *members) { c.Ensemble, by.State = nil, zk.SessionExpired }, code: zk.SessionExpired},
		"of a server on its own":                    {change: func(c *Config, _ *Asker, _ *members) { c.Ensemble = nil }, code: zk.Unimplemented},
		"while another is on its way":               {change: func(_ *Config, _ *Asker, m *members) { m.seen = m.committed.WithVersion(9) }, want: wish(four, "", "", 7), code: zk.ReconfigInProgress},
		"of another version, with nonsense":         {want: wish("nonsense", "", "", 7), code: zk.BadVersion},
		"of the version expected":                   {want: wish(four, "", "", 5), ids: "1,2,3,4"},
		"one joins and one leaves":                  {want: wish(four, "2", "", -1), ids: "1,3,4"},
		"blanks and empty parts do not count":       {want: wish(" , "+four+" ,", " 2,, 3", "", -1), ids: "1,4"},
		"a server that is not there leaves":         {want: wish("", "9", "", -1), ids: "1,2,3"},
		"a member is changed":                       {want: wish("server.3=10.0.0.9:2888:3888:observer;2181", "", "", -1), ids: "1,2,3"},
		"who leaves makes room for who joins":       {want: wish("server.4=10.0.0.2:2888:3888;2181", "2", "", -1), ids: "1,3,4"},
		"an address that another has":               {want: wish("server.4=10.0.0.2:2889:3888;2181", "", "", -1), code: zk.BadArguments},
		"a client address that is another's port":   {want: wish("server.4=10.0.0.4:2888:3888;10.0.0.2:2888", "", "", -1), code: zk.BadArguments},
		"the same port on the wildcard":             {want: wish("server.4=10.0.0.4:2888:3888;0.0.0.0:2181", "", "", -1), ids: "1,2,3,4"},
		"no client port":                            {want: wish("server.4=10.0.0.4:2888:3888", "", "", -1), code: zk.BadArguments},
		"no election port":                          {want: wish("server.4=10.0.0.4:2888;2181", "", "", -1), code: zk.BadArguments},
		"no line at all":                            {want: wish("4", "", "", -1), code: zk.BadArguments},
		"an id that is no number joins":             {want: wish("server.x=10.0.0.4:2888:3888;2181", "", "", -1), code: zk.MarshallingError},
		"an id that is no number leaves":            {want: wish("", "x", "", -1), code: zk.MarshallingError},
		"a single voter":                            {want: wish("", "2,3", "", -1), code: zk.BadArguments},
		"a single voter, without standaloneEnabled": {change: func(c *Config, _ *Asker, _ *members) { c.StandaloneEnabled = false }, want: wish("", "2,3", "", -1), ids: "1"},
		"no voter": {change: func(c *Config, _ *Asker, _ *members) { c.StandaloneEnabled = false }, want: wish("", "1,2,3", "", -1), code: zk.BadArguments},
		"a whole configuration, separated by commas":  {want: wish("", "", "server.1=a:1:2,server.7=b:1:2", -1), ids: "1,7"},
		"a whole one with groups":                     {want: wish(four, "", strings.TrimSuffix(hierarchy, "version=5"), -1), ids: "1,2,3"},
		"a whole one with a key that does not belong": {want: wish("", "", three+"\ntickTime=2000", -1), code: zk.BadArguments},
		"a whole one with an id that is no number":    {want: wish("", "", "server.x=a:1:2", -1), code: zk.MarshallingError},
		"an empty whole one":                          {want: &zk.Members{Version: -1}, code: zk.BadArguments},
		"one joins where quorums are of groups":       {change: func(_ *Config, _ *Asker, m *members) { m.committed = parse(t, hierarchy); m.seen = m.committed }, want: wish(four, "", "", -1), code: zk.BadArguments},
		"without a quorum that is synchronised":       {change: func(_ *Config, by *Asker, m *members) { m.synced, by.IDs = zk.NewConfigNoQuorum, anonymous }, want: wish(four, "", "", -1), code: zk.NewConfigNoQuorum},
		"without permission, which is asked for last": {change: func(_ *Config, by *Asker, _ *members) { by.IDs = anonymous }, want: wish(four, "", "", -1), code: zk.NoAuth},
	} {
		t.Run(name, func(t *testing.T) {
			now := parse(t, three+"\nversion=5")
			m := &members{committed: now, seen: now}
			cfg, by := Config{Reconfig: true, StandaloneEnabled: true, Ensemble: m}, Asker{IDs: super}
			if c.change != nil {
				c.change(&cfg, &by, m)
			}
			l := newLeader(t, cfg)
			by.Session, l.by = ann, by
			if c.want == nil {
				c.want = wish("", "", "", -1)
			}
			rec := l.judge(zk.Request{Op: zk.OpReconfig, Members: c.want})
			if rec.Txn.Err != c.code {
				t.Fatalf("%v, want %v", rec.Txn.Err, c.code)
			}
			if c.code != zk.OK {
				return
			}
			next := parse(t, string(rec.Txn.Data))
			if next.IDs() != c.ids || next.Version != rec.Header.Zxid || rec.Header.Type != zk.OpReconfig || rec.Txn.Path != zk.ConfigPath || rec.Txn.Version != -1 {
				t.Errorf("%v %+v", rec.Header, rec.Txn)
			}
			l.land()
		})
	}
}

// TestAReconfigIsSeenByTheWritesBehindIt: the znode of the configuration has its new stat for who asks before it is applied.
func TestAReconfigIsSeenByTheWritesBehindIt(t *testing.T) {
	now := parse(t, three)
	l := newLeader(t, Config{Reconfig: true, Ensemble: &members{committed: now, seen: now}})
	l.by.IDs = super
	l.judge(zk.Request{Op: zk.OpReconfig, Members: wish("", "3", "", -1)})
	if rec := l.judge(zk.Request{Op: zk.OpSetData, Path: zk.ConfigPath, Version: 3}); rec.Txn.Err != zk.BadVersion {
		t.Errorf("%+v", rec.Txn)
	}
	l.land()
	a, err := auth.New(auth.Config{SkipACL: true})
	if err != nil {
		t.Fatal(err)
	}
	tr := tree.New(1)
	open := &leader{t: t, tree: tr, prep: New(Config{Reconfig: true, Ensemble: &members{committed: now, seen: now}}, a, tr), by: Asker{Session: ann, IDs: anonymous}}
	if rec := open.judge(zk.Request{Op: zk.OpReconfig, Members: wish("", "3", "", -1)}); rec.Txn.Err != zk.OK {
		t.Errorf("skipACL lets nobody in: %+v", rec.Txn)
	}
}
