package server

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/internal/quiet"
	"paddock/server/replica"
)

// notesMax is how many notes may wait to be written; the owner never waits for a log that is not read.
const notesMax = 4096

// notes turns what the replica notes into log lines, in a goroutine of its own.
type notes struct {
	log     zerolog.Logger
	level   *LogLevel // of log; nil if it stays
	metrics *serverMetrics
	apart   func(consensus.Role) bool // whether a role keeps clients away; nil if none does
	queue   chan replica.Note
	dropped atomic.Int64
	skipped quiet.Lines // of snapshots: one a minute
	ahead   quiet.Lines // of clients that have seen a zxid this server does not have: one a minute and address
}

// notesTick is how often lines are told of that were left out.
const notesTick = time.Minute

func newNotes(log zerolog.Logger, level *LogLevel, m *serverMetrics) *notes {
	return &notes{log: log, level: level, metrics: m, queue: make(chan replica.Note, notesMax)}
}

// observe is called by the owner.
func (n *notes) observe(note replica.Note) {
	n.metrics.count(note)
	if level := noteLevel(note.Kind); n.log.GetLevel() > level || !n.level.Sample(level) {
		return
	}
	select {
	case n.queue <- note:
	default:
		n.dropped.Add(1)
	}
}

// synced returns what warns of slow fsyncs.
func (n *notes) synced(limit time.Duration) func(time.Duration) {
	return func(took time.Duration) {
		n.metrics.fsync.Observe(took)
		if limit > 0 && took > limit {
			n.log.Warn().Dur("took_ms", took).Dur("limit_ms", limit).
				Msg("the disk was slow to sync the transaction log, which delays every write; see fsync.warningthresholdms")
		}
	}
}

// run writes lines until ctx ends.
func (n *notes) run(ctx context.Context) {
	ticker := time.NewTicker(notesTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case note := <-n.queue:
			n.write(note)
		case <-ticker.C:
			if lost := n.dropped.Swap(0); lost > 0 {
				n.log.Warn().Int64("lines", lost).Msg("left out lines because the log is not written fast enough")
			}
		}
	}
}

// noteLevel is how loud a note is.
func noteLevel(k replica.NoteKind) zerolog.Level {
	switch k {
	case replica.SessionOpened, replica.SessionRenewed, replica.SessionRefused, replica.SessionEnded, replica.ClientThrottled,
		replica.AuthRefused, replica.ContainersExpired, replica.LeaderElected:
		return zerolog.DebugLevel
	case replica.SessionExpired, replica.RoleTaken, replica.ReadOnlyEnded:
		return zerolog.InfoLevel
	case replica.DigestMismatch:
		return zerolog.ErrorLevel
	default:
		return zerolog.WarnLevel
	}
}

var noteTexts = map[replica.NoteKind]string{
	replica.SessionOpened:     "session opened",
	replica.SessionRenewed:    "session taken up again",
	replica.SessionRefused:    "session refused: it has expired or the password is wrong",
	replica.SessionExpired:    "session expired",
	replica.SessionEnded:      "session ended",
	replica.ClientThrottled:   "connection refused by connection_throttle_tokens",
	replica.DigestMismatch:    "the tree differs from the digest of the transaction; a member of an ensemble takes its leader's, else compare with another copy of the data",
	replica.OrphansFound:      "deleting ephemeral znodes whose session does not exist",
	replica.ContainersExpired: "deleting containers and znodes whose time is over",
	replica.SnapshotSkipped:   "no snapshot now, the last one is still being written; raise snapCount or snapSizeLimitInKb if this repeats",
	replica.AuthRefused:       "credentials refused",
	replica.RoleTaken:         "serving in the ensemble",
	replica.RoleLost:          "not serving: looking for a leader",
	replica.LeaderElected:     "leader elected",
	replica.ReadOnlyBegun:     "no quorum: serving reads to clients that accept it",
	replica.ReadOnlyEnded:     "a leader is found: no longer serving reads alone",
}

// noteTextKeys say what the text of a note is.
var noteTextKeys = map[replica.NoteKind]string{replica.AuthRefused: "scheme", replica.RoleLost: "reason", replica.ClientThrottled: "ip"}

func (n *notes) write(note replica.Note) {
	if note.Kind == replica.ClientAhead {
		n.clientAhead(note)
		return
	}
	e := n.log.WithLevel(noteLevel(note.Kind))
	if note.Kind == replica.SnapshotSkipped {
		times, ok := n.skipped.Allow("", time.Now().UnixNano())
		if !ok {
			return
		}
		e = e.Uint64("times", times)
	}
	if note.Client != 0 {
		e = e.Uint64("client", uint64(note.Client))
	}
	if note.Session != 0 {
		e = e.Stringer("session", note.Session)
	}
	if note.Zxid != 0 {
		e = e.Stringer("zxid", note.Zxid)
	}
	if note.TimeoutMS != 0 {
		e = e.Int32("timeout_ms", note.TimeoutMS)
	}
	if note.Count != 0 {
		e = e.Int("count", note.Count)
	}
	if note.Kind == replica.RoleTaken || note.Kind == replica.LeaderElected {
		e = e.Stringer("role", note.Role)
	}
	if note.Server != 0 {
		e = e.Int64("leader", int64(note.Server))
	}
	if note.Text != "" {
		e = e.Str(noteTextKeys[note.Kind], note.Text)
	}
	if note.Kind == replica.RoleTaken && n.apart != nil && n.apart(note.Role) {
		e.Msg("leading in the ensemble; leaderServes=no keeps clients away meanwhile")
		return
	}
	e.Msg(noteTexts[note.Kind])
}

// clientAhead says, once a minute and address, that clients were refused: a migration that went wrong sends every client away
// again and again.
func (n *notes) clientAhead(note replica.Note) {
	times, ok := n.ahead.Allow(note.Text, time.Now().UnixNano())
	if !ok {
		return
	}
	n.log.Warn().Uint64("times", times).Str("ip", note.Text).Stringer("seen_zxid", note.Zxid).
		Msg("refused a client that has seen a later zxid than this data has, so it belongs to other data; " +
			"restart it, or restore the data that it has seen")
}
