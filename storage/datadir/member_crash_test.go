package datadir

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// state is a tree at a zxid.
type state struct {
	zxid   zk.Zxid
	digest uint64
}

// history is what a member has: a snapshot's state and one for each record behind it. Below it may be another one, which it
// took the place of without acknowledging it.
type history struct {
	states  []state
	durable zk.Zxid
	below   *history
}

func (h *history) last() state { return h.states[len(h.states)-1] }

// upTo is what of a history belongs to the epochs up to current.
func (h *history) upTo(current int64) *history {
	n := len(h.states)
	for n > 0 && h.states[n-1].zxid.Epoch() > current {
		n--
	}
	if n == 0 {
		return h.below.upTo(current)
	}
	return &history{states: h.states[:n:n], durable: min(h.durable, h.states[n-1].zxid), below: h.below}
}

// allows tells whether a member may come back with s.
func (h *history) allows(s state, current int64) bool {
	top := h.upTo(current)
	for _, x := range top.states {
		if x == s && s.zxid >= top.durable {
			return true
		}
	}
	return false
}

// membership is the life of a member: leaders come and truncate, extend or replace its history, and it acknowledges some of
// them. Before every single operation on the disk a crash is tried out.
type membership struct {
	rng      *rand.Rand
	seed     uint64
	bug      bug
	m        *vfs.Mem
	d        *Dir
	w        *wal.Writer
	t        *tree.Tree
	is       *history
	becomes  *history // what an operation is making of it, or nil
	accepted int64
	current  int64
	setting  int64 // of the current epoch, while it is written
	unique   int
	installs int
	crashes  int
	err      error
}

func (l *membership) must(err error) {
	if err != nil && l.err == nil {
		l.err = err
	}
}

func memberState(m *vfs.Mem, member bool) (state, Epochs, error) {
	d, err := Open(Options{FS: m, Dir: "data"})
	if err != nil {
		return state{}, Epochs{}, err
	}
	rec, err := d.Recover(RecoverOptions{Member: member})
	if err != nil {
		return state{}, Epochs{}, err
	}
	if rec.DigestMismatch != 0 {
		return state{}, Epochs{}, fmt.Errorf("another tree at %v", rec.DigestMismatch)
	}
	return state{rec.Tree.Zxid(), rec.Tree.Digest()}, rec.Epochs, d.Close()
}

func (l *membership) crash(n int, op vfs.Op) {
	if l.err != nil {
		return
	}
	l.crashes++
	c := l.m.CrashClone(l.seed<<20 + uint64(n))
	if err := l.check(c, n); err != nil {
		l.err = fmt.Errorf("seed %d, crash before operation %d (%s): %w\n%s", l.seed, n, op, err, c.Dump())
	}
}

func (l *membership) check(c *vfs.Mem, n int) error {
	if n%5 == 0 { // an operator starts it alone: it must start, whatever a leader had begun
		if _, _, err := memberState(c.CrashClone(1), false); err != nil {
			return fmt.Errorf("standalone: %w", err)
		}
	}
	s, e, err := memberState(c, true)
	if err != nil {
		return err
	}
	if e.Accepted < l.accepted || e.Current != l.current && e.Current != l.setting || e.Current > e.Accepted {
		return fmt.Errorf("epochs %+v, accepted %d, current %d, setting %d", e, l.accepted, l.current, l.setting)
	}
	if !l.is.allows(s, e.Current) && (l.becomes == nil || !l.becomes.allows(s, e.Current)) {
		return fmt.Errorf("found %v (%x) in epoch %d, have %v durable to %v, becoming %v", s.zxid, s.digest, e.Current, l.is.upTo(e.Current).states, l.is.durable, l.becomes)
	}
	again, _, err := memberState(c.CrashClone(l.seed), true)
	if err != nil || again != s {
		return fmt.Errorf("a second crash makes %v of %v: %w", again, s, err)
	}
	return nil
}

// apply makes a txn of its own, at z.
func (l *membership) apply(t *tree.Tree, z zk.Zxid) []byte {
	l.unique++
	rec := txn.Record{Header: txn.Header{Session: 1, Cxid: 1, Zxid: z, TimeMS: 1000, Type: zk.OpCreate}}
	rec.Txn = txn.Txn{Type: zk.OpCreate, Path: "/n" + strconv.Itoa(l.unique), Data: make([]byte, 1+l.rng.IntN(700)), ACL: zk.OpenACL, ParentCversion: int32(l.unique)}
	for i := range rec.Txn.Data {
		rec.Txn.Data[i] = byte(l.rng.IntN(255)) + 1
	}
	t.Apply(&rec.Header, &rec.Txn, nil)
	rec.HasDigest, rec.Digest = true, txn.Digest{Version: txn.DigestVersion, Tree: t.Digest()}
	return rec.Append(nil)
}

func (l *membership) write(epoch int64) {
	z := l.is.last().zxid + 1
	if z.Epoch() != epoch {
		z = zk.Zxid(epoch<<32 | 1)
	}
	payload := l.apply(l.t, z)
	l.is.states = append(l.is.states, state{z, l.t.Digest()})
	l.must(l.w.Append([][]byte{payload}))
	if l.rng.IntN(3) > 0 {
		l.sync()
	}
	if l.rng.IntN(6) == 0 {
		_, err := l.w.Prepare()
		l.must(err)
	}
}

func (l *membership) sync() {
	if err := l.w.Sync(); err != nil {
		l.must(err)
		return
	}
	l.is.durable = l.w.Last()
}

// goOn begins a new log behind the history.
func (l *membership) goOn() { l.w = l.d.Log(l.is.last().zxid) }

func (l *membership) close() {
	l.must(l.w.Close())
	l.is.durable = l.is.last().zxid
}

func (l *membership) truncate() {
	l.close()
	i := l.rng.IntN(len(l.is.states))
	target := l.is.states[i]
	l.is.durable = min(l.is.durable, target.zxid)
	rec, err := l.d.TruncateAndRecover(target.zxid, RecoverOptions{})
	switch {
	case err != nil:
		l.must(err)
	case rec.Untruncated != nil:
		l.is.durable = l.is.last().zxid
		l.install()
		return
	case rec.Tree.Zxid() != target.zxid || rec.Tree.Digest() != target.digest:
		l.must(fmt.Errorf("truncated to %v, found %v", target.zxid, rec.Tree.Zxid()))
	default:
		l.t = rec.Tree
		l.is.states = l.is.states[: i+1 : i+1]
	}
	l.goOn()
}

// install takes a leader's snapshot, sometimes of a moment before what is there.
func (l *membership) install() {
	epoch := max(1, l.accepted-int64(l.rng.IntN(3)))
	z := zk.Zxid(epoch<<32 | int64(l.rng.IntN(40)))
	t := tree.New(0)
	l.apply(t, z)
	now := &history{states: []state{{z, t.Digest()}}, durable: z}
	if epoch > l.current {
		now.below = l.is.upTo(l.current)
	}
	l.becomes = now
	v := t.Freeze()
	_, err := l.d.Install(context.Background(), v, snapshot.WriteOptions{Compression: []snapshot.Compression{"", "gz"}[l.rng.IntN(2)]})
	t.Release(v)
	l.must(err)
	l.is, l.becomes, l.t = now, nil, t
	l.installs++
	l.goOn()
}

func (l *membership) snapshot() {
	l.sync()
	l.must(l.w.Roll())
	v := l.t.Freeze()
	_, err := l.d.WriteSnapshot(context.Background(), v, snapshot.WriteOptions{})
	l.must(err)
	l.t.Release(v)
}

func (l *membership) some(epoch int64, n int) {
	for range l.rng.IntN(n) {
		switch l.rng.IntN(9) {
		case 0:
			l.snapshot()
		case 1:
			_, err := l.d.Purge(3, 0)
			l.must(err)
		default:
			l.write(epoch)
		}
	}
}

// open starts the server, which goes on with what it may stand for.
func (l *membership) open() {
	var err error
	if l.d, err = Open(Options{FS: l.m, Dir: "data", PrepareBytes: 2048, bug: l.bug}); err != nil {
		l.must(err)
		return
	}
	rec, err := l.d.Recover(RecoverOptions{Member: true})
	if err != nil {
		l.must(err)
		return
	}
	if l.is == nil {
		l.is = &history{states: []state{{0, rec.Tree.Digest()}}}
	}
	l.is, l.t = l.is.upTo(l.current), rec.Tree
	if s := (state{l.t.Zxid(), l.t.Digest()}); s != l.is.last() {
		l.must(fmt.Errorf("started with %v, have %v", s, l.is.last()))
	}
	l.is.durable = l.is.last().zxid
	l.goOn()
}

func (l *membership) run() {
	l.rng = rand.New(rand.NewPCG(l.seed, 5))
	l.m = vfs.NewMem()
	l.must(vfs.MkdirAll(l.m, "data"))
	l.open()
	l.m.SetHook(l.crash)
	for range 7 {
		if l.err != nil {
			return
		}
		l.lead(l.accepted + 1 + int64(l.rng.IntN(2)))
		if l.rng.IntN(4) == 0 {
			l.close()
			l.must(l.d.Close())
			l.open()
		}
	}
	l.close()
	l.crash(l.m.Ops()+1, vfs.Op{})
	l.must(l.d.Close())
}

// lead is the time of one leader, as this member sees it.
func (l *membership) lead(epoch int64) {
	l.must(l.d.SetAcceptedEpoch(epoch))
	l.accepted = epoch
	switch l.rng.IntN(4) {
	case 0:
		l.truncate()
	case 1, 2:
		l.close()
		l.install()
	}
	l.some(epoch, 8)
	if unlucky := l.seed%3 == 2 && l.current > 0; unlucky || l.rng.IntN(3) == 0 {
		_, err := l.d.Purge(3, 0)
		l.must(err)
		return // the leader is gone before its history is complete
	}
	l.sync()
	l.setting = epoch
	l.must(l.d.SetCurrentEpoch(epoch))
	l.current = epoch
	l.is.below = nil
	l.some(epoch, 8)
}

func TestAMemberComesBackWithWhatItAcknowledged(t *testing.T) {
	crashes, installs := 0, 0
	for seed := range (runs(t) + 1) / 2 {
		l := &membership{seed: seed}
		if l.run(); l.err != nil {
			t.Fatal(l.err)
		}
		crashes += l.crashes
		installs += l.installs
	}
	t.Logf("%d crashes, %d snapshots installed", crashes, installs)
}

func TestMistakesOfAMemberAreFound(t *testing.T) {
	for name, b := range map[string]bug{
		"a leader's snapshot gets its name while the log behind it is there":     bugInstallUncut,
		"the log is cut before the leader's snapshot is durable":                 bugInstallCutFirst,
		"snapshots behind the leader's stay":                                     bugInstallKeepsSnapshots,
		"snapshots of what is truncated stay":                                    bugTruncateKeepsSnapshots,
		"history that was not acknowledged counts":                               bugSuffixKept,
		"the acknowledged snapshot is purged while a leader's later ones arrive": bugPurgeUnacknowledged,
		"epochs are not synced":                                                  bugEpochNotSynced,
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(300) {
				l := &membership{seed: seed, bug: b}
				if l.run(); l.err != nil {
					return
				}
			}
			t.Error("not found")
		})
	}
}
