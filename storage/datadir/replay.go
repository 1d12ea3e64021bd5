package datadir

import (
	"errors"
	"fmt"
	"slices"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/wal"
)

// replay applies the log to the tree, up to limit unless that is 0.
func (d *Dir) replay(opts RecoverOptions, out *Recovered, limit zk.Zxid) error {
	var (
		rec    txn.Record
		stage  = "replaying " + d.logs
		digest = digestCheck{out: out}
		recent = recentRecords{max: opts.RecentMax, maxBytes: opts.RecentBytes}
		cover  = coverage{out: out, at: out.Tree.Zxid()}
		n      int
	)
	digest.begin()
	ro := wal.ReadOptions{From: out.Tree.Zxid() + 1, Max: limit}
	var err error
	out.Log, err = wal.Recover(d.opts.FS, d.logs, ro, func(r wal.Record) error {
		if err := rec.Decode(r.Payload); err != nil {
			return &wal.CorruptionError{File: r.File, Offset: r.Offset, Reason: err.Error(), Remedy: remedyRestore}
		}
		if doubt := cover.next(r); doubt {
			recent.forget()
		}
		out.Tree.Apply(&rec.Header, &rec.Txn, nil)
		digest.after(&rec)
		recent.add(r)
		if n++; n%replayProgress == 0 {
			opts.Progress(stage, n)
		}
		return nil
	})
	if beyond, ok := errors.AsType[*wal.BeyondError](err); ok {
		return &beyondError{zxid: beyond.First}
	}
	out.Recent = slices.Clone(recent.list)
	if out.Tree.Zxid() < digest.fuzzy {
		out.FuzzyUntil = digest.fuzzy
	}
	if err != nil {
		return err
	}
	return d.covered(out, &cover)
}

// recentRecords keeps the last records without a gap. Payloads are copied into the memory of those that drop out.
type recentRecords struct {
	max      int
	maxBytes int64
	list     []Recent
	bytes    int64
}

func (r *recentRecords) forget() { r.list, r.bytes = r.list[:0], 0 }

func (r *recentRecords) add(rec wal.Record) {
	if r.max < 0 {
		return
	}
	var memory []byte
	for len(r.list) > 0 && (len(r.list) >= r.max || r.bytes+int64(len(rec.Payload)) > r.maxBytes) {
		memory = r.list[0].Payload[:0]
		r.bytes -= int64(len(r.list[0].Payload))
		r.list = r.list[1:] // append moves the rest to the front when the array is used up
	}
	if int64(len(rec.Payload)) > r.maxBytes {
		return
	}
	r.list = append(r.list, Recent{rec.Zxid, append(memory, rec.Payload...)})
	r.bytes += int64(len(rec.Payload))
}

// digestCheck compares the tree's digest with those in the log, once the tree is no longer ahead of it.
type digestCheck struct {
	out   *Recovered
	fuzzy zk.Zxid // the snapshot may hold effects of txns up to here
}

func (c *digestCheck) begin() {
	info := c.out.Snapshot
	if !info.HasDigest || info.DigestZxid < info.Zxid {
		return
	}
	c.fuzzy = info.DigestZxid
	if info.DigestZxid == info.Zxid && info.Digest != 0 {
		c.compare(info.Zxid, info.Digest)
	}
}

func (c *digestCheck) after(rec *txn.Record) {
	z := rec.Header.Zxid
	if z == c.fuzzy {
		c.compare(z, c.out.Snapshot.Digest)
	}
	if z >= c.fuzzy && rec.HasDigest && rec.Digest.Version == txn.DigestVersion {
		c.compare(z, rec.Digest.Tree)
	}
}

func (c *digestCheck) compare(z zk.Zxid, want uint64) {
	if c.out.DigestMismatch == 0 && c.out.Tree.Digest() != want {
		c.out.DigestMismatch = max(z, 1)
	}
}

// coverage tells whether the log makes up for snapshots that were passed over.
type coverage struct {
	out  *Recovered
	at   zk.Zxid      // of the record before
	open *BadSnapshot // lies where nothing shows that the log has no gap
}

// next takes the next record, and tells whether records may be missing before it. Where an epoch begins in a ZooKeeper
// server's file only a snapshot can have taken their place, since that server never goes on without having written it.
func (c *coverage) next(r wal.Record) (doubt bool) {
	if r.After < 0 {
		for i, bad := range c.out.Bad {
			if c.at >= bad.Zxid || bad.Zxid >= r.Zxid {
				continue
			}
			if doubt = true; !bad.Unfinished {
				c.open = &c.out.Bad[i]
			}
		}
	}
	c.at = r.Zxid
	return doubt
}

// covered checks that passing over damaged snapshots lost nothing. A finished snapshot proves that everything up to its
// zxid was once acknowledged; the log must reach as far. One between two epochs may be a leader's that took the place of
// the records before it, which are then not in the log.
func (d *Dir) covered(out *Recovered, c *coverage) error {
	if c.open != nil {
		return &NoSnapshotError{Dir: d.snaps, Bad: out.Bad, Remedy: remedyRestore,
			Reason: fmt.Sprintf("a newer snapshot is damaged, and nothing shows that the log holds all that was before %v", c.open.Zxid)}
	}
	for _, bad := range out.Bad {
		if !bad.Unfinished && bad.Zxid > out.Tree.Zxid() {
			return &NoSnapshotError{Dir: d.snaps, Bad: out.Bad, Remedy: remedyRestore,
				Reason: fmt.Sprintf("the newest snapshot is damaged, and the older ones with the log reach only %v", out.Tree.Zxid())}
		}
	}
	return nil
}
