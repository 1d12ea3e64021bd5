package sim

import (
	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/datadir"
	"paddock/storage/vfs"
)

// EnsembleBug is a mistake that a run plants.
type EnsembleBug uint8

// The mistakes.
const (
	NoEnsembleBug EnsembleBug = iota
	MuseumSessionsByWallClock
	MuseumAcceptedEpochNotWritten
	MuseumTruncateKeepsSnapshots
	MuseumSnapshotNotStored
)

type planted struct{}

func (m *member) plantFS(f vfs.FS) vfs.FS                            { return f }
func (m *member) plantCore(*consensus.Config)                        {}
func (p *process) plantEvent(*replica.Event) bool                    { return true }
func (p *process) plantPayload(b []byte) []byte                      { return b }
func (p *process) plantAction(a *consensus.Action) *consensus.Action { return a }
func (p *process) plantOrder()                                       {}
func (p *process) plantSync() error                                  { return p.log.Sync() }
func (p *process) plantTruncate(z zk.Zxid) (*datadir.Recovered, error) {
	return p.dir.TruncateAndRecover(z, p.recoverOptions())
}
func (a *linkEnd) plantQueue()                                               {}
func (p *process) plantAgain(a *attach, req *zk.Request)                     {}
func (p *process) plantReply(id request.ClientID, r *zk.Reply) bool          { return true }
func (p *process) plantEventToClient(id request.ClientID, ev *zk.Event) bool { return true }
