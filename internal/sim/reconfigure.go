package sim

import (
	"encoding/binary"
	"strings"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/jute"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// reconfigure makes up a request for other roles: one server's is changed.
func (e *ensemble) reconfigure(u *user) *zk.Request {
	u.xid++
	roles := []byte(e.plan.members)
	for i := range roles {
		switch s, ok := e.history.config.Server(quorum.ServerID(i + 1)); {
		case !ok:
			roles[i] = 'n'
		case s.Observer:
			roles[i] = 'o'
		default:
			roles[i] = 'v'
		}
	}
	switch i := e.rng.IntN(len(roles)); {
	case e.plan.sweeping && e.chance(2): // all are replaced
		for i, role := range roles {
			if roles[i] = 'v'; role == 'v' {
				roles[i] = 'o'
			}
		}
	case e.plan.sweeping:
		for i := range roles {
			roles[i] = "vvon"[e.rng.IntN(4)]
		}
	case e.plan.stalls:
		roles[i] = "vo"[e.rng.IntN(2)]
	default:
		roles[i] = "vvon"[e.rng.IntN(4)]
	}
	if strings.Count(string(roles), "v") < 2 {
		roles = []byte(strings.Replace(e.plan.members, "n", "v", 1))
	}
	text := strings.ReplaceAll(configText(string(roles)), "\n", ",")
	return &zk.Request{Xid: u.xid, Op: zk.OpReconfig, Members: &zk.Members{Joining: jute.Null(), Leaving: jute.Null(), Whole: strings.TrimSuffix(text, ","), Version: -1}}
}

// typeAt is where a logged txn has its type: behind session, cxid, zxid and time.
const typeAt = 8 + 4 + 8 + 8

// configIn is the configuration that a txn sets, "" if it is no reconfiguration.
func configIn(payload []byte) string {
	var rec txn.Record
	if len(payload) < typeAt+4 || zk.OpCode(int32(binary.BigEndian.Uint32(payload[typeAt:]))) != zk.OpReconfig || rec.Decode(payload) != nil {
		return ""
	}
	return string(rec.Txn.Data)
}

// reconfigured judges what came of a request for another configuration.
func (h *history) reconfigured(d *draft, c *userCall, rec *txn.Record) {
	e := h.e
	want := zk.Reply{Op: zk.OpReconfig, Zxid: d.z}
	switch rec.Header.Type {
	case zk.OpReconfig:
		if err := h.setConfig(d.z, string(rec.Txn.Data)); err != nil {
			e.fail("reconfiguration %v: %w", d.z, err)
		}
	case zk.OpError:
		want.Err = rec.Txn.Err
		e.count("reconfiguration refused: " + rec.Txn.Err.String())
	}
	c.want = &want
	d.commit()
}

// setConfig puts a configuration into force.
func (h *history) setConfig(z zk.Zxid, text string) error {
	cfg, err := quorum.ParseConfig(text)
	if err != nil {
		return err
	}
	h.config = cfg.WithVersion(z)
	h.e.trace.add("%d configuration %v: %s", h.e.nowMS, z, cfg.IDs())
	h.e.count("reconfigured")
	return nil
}

// transfer asks a leader to hand leadership over, to whom it chooses if to is 0.
func (p *process) transfer(to quorum.ServerID) {
	if !p.leading {
		return
	}
	z := p.logged + 1
	if p.logged < epochStart(p.epoch) {
		z = epochStart(p.epoch) + 1
	}
	rec := txn.Record{Header: txn.Header{Zxid: z, TimeMS: p.wallMS(), Type: zk.OpError}, Txn: txn.Txn{Type: zk.OpError}}
	p.e.count("transfer asked")
	p.consensus(consensus.Event{Kind: consensus.TransferTo, Server: to, Payload: rec.Append(nil)}, nil)
}

// wipe takes all that a server has: its disk is replaced. It comes back with an empty one that may not be begun anew.
func (m *member) wipe() {
	e := m.e
	if !e.plan.wipes || len(e.history.config.Voters()) < 3 || e.counts["disk replaced"] > 0 || e.history.epoch == 0 || !e.history.config.IsVoter(m.id) {
		return
	}
	m.crash(false)
	m.note("its disk is replaced")
	e.count("disk replaced")
	m.mem, m.promises, m.replaced = vfs.NewMem(), promises{}, m.promises
}
