package grpcapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// JSON is the status as `GET /v1/status` answers it, indented by two spaces: one format for programs, whichever
// way they ask.
func (s *Status) JSON() ([]byte, error) {
	loose, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(s.proto())
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	var out bytes.Buffer
	// protojson varies its white space on purpose; indenting makes it the same every time.
	if err := json.Indent(&out, loose, "", "  "); err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	return out.Bytes(), nil
}

// proto is the status as a message. The enums have the same numbers on both sides, which a test holds to.
func (s *Status) proto() *paddockv1.Status {
	return &paddockv1.Status{
		State:                paddockv1.ServerState(s.State),
		Mode:                 paddockv1.ServerMode(s.Mode),
		Version:              s.Version,
		ServerId:             s.ServerID,
		Zxid:                 uint64(s.Zxid),
		UptimeMs:             s.Uptime.Milliseconds(),
		Pid:                  int64(s.PID),
		DataDir:              s.DataDir,
		ClientAddresses:      s.ClientAddresses,
		Connections:          s.Connections,
		Sessions:             s.Sessions,
		OutstandingRequests:  s.Outstanding,
		PacketsReceived:      s.PacketsReceived,
		PacketsSent:          s.PacketsSent,
		Watches:              s.Watches,
		Znodes:               s.Znodes,
		Ephemerals:           s.Ephemerals,
		ApproximateDataBytes: s.DataBytes,
		Latency: &paddockv1.Latency{
			MinUs:  s.Latency.Min.Microseconds(),
			MeanUs: float64(s.Latency.Mean) / float64(time.Microsecond),
			MaxUs:  s.Latency.Max.Microseconds(),
		},
		Storage:  s.Storage.proto(),
		Refusal:  s.Refusal,
		Warnings: s.Warnings,
		Ensemble: s.Ensemble.proto(),
	}
}

// proto is the ensemble as a message; nil if there is none.
func (e *Ensemble) proto() *paddockv1.Ensemble {
	if e == nil {
		return nil
	}
	m := &paddockv1.Ensemble{
		Epoch: e.Epoch, LeaderId: e.Leader, HasLeader: e.HasLeader, Stage: e.Stage, SinceUnixMs: unixMS(e.Since), Round: e.Round,
		ConfigVersion: uint64(e.ConfigVersion), QuorumReached: e.QuorumReached, CommittedZxid: uint64(e.Committed),
	}
	for i := range e.Members {
		x := &e.Members[i]
		m.Members = append(m.Members, &paddockv1.Member{
			ServerId: x.ServerID, Voter: x.Voter, Self: x.Self, Addresses: x.Addresses, ClientAddress: x.ClientAddress,
			Role: paddockv1.MemberRole(x.Role), Connected: x.Connected, SinceUnixMs: unixMS(x.Since), Problem: x.Problem,
			Synced: x.Synced, Behind: x.Behind,
		})
	}
	return m
}

// ensembleFromProto is the inverse of Ensemble.proto.
func ensembleFromProto(m *paddockv1.Ensemble) *Ensemble {
	if m == nil {
		return nil
	}
	e := &Ensemble{
		Epoch: m.GetEpoch(), Leader: m.GetLeaderId(), HasLeader: m.GetHasLeader(), Stage: m.GetStage(), Since: fromUnixMS(m.GetSinceUnixMs()),
		Round: m.GetRound(), ConfigVersion: zk.Zxid(m.GetConfigVersion()), QuorumReached: m.GetQuorumReached(), Committed: zk.Zxid(m.GetCommittedZxid()),
	}
	for _, x := range m.GetMembers() {
		e.Members = append(e.Members, Member{
			ServerID: x.GetServerId(), Voter: x.GetVoter(), Self: x.GetSelf(), Addresses: x.GetAddresses(), ClientAddress: x.GetClientAddress(),
			Role: MemberRole(x.GetRole()), Connected: x.GetConnected(), Since: fromUnixMS(x.GetSinceUnixMs()), Problem: x.GetProblem(),
			Synced: x.GetSynced(), Behind: x.GetBehind(),
		})
	}
	return e
}

// unixMS is 0 for a zero time.
func unixMS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromUnixMS is the inverse of unixMS, in UTC.
func fromUnixMS(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// proto is the storage part as a message.
func (s *Storage) proto() *paddockv1.Storage {
	return &paddockv1.Storage{
		Snapshots:          s.Snapshots,
		SnapshotBytes:      s.SnapshotBytes,
		Logs:               s.Logs,
		LogBytes:           s.LogBytes,
		NewestSnapshotZxid: uint64(s.NewestSnapshot),
		DiskFreeBytes:      s.DiskFreeBytes,
		DiskTotalBytes:     s.DiskTotalBytes,
		LastPurgeUnixMs:    unixMS(s.LastPurge),
	}
}

// fromProto is the inverse of Status.proto, to the precision of the message. Times are UTC.
func fromProto(m *paddockv1.Status) Status {
	return Status{
		State:           State(m.GetState()),
		Mode:            Mode(m.GetMode()),
		Version:         m.GetVersion(),
		ServerID:        m.GetServerId(),
		Zxid:            zk.Zxid(m.GetZxid()),
		Uptime:          time.Duration(m.GetUptimeMs()) * time.Millisecond,
		PID:             int(m.GetPid()),
		DataDir:         m.GetDataDir(),
		ClientAddresses: m.GetClientAddresses(),
		Connections:     m.GetConnections(),
		Sessions:        m.GetSessions(),
		Outstanding:     m.GetOutstandingRequests(),
		PacketsReceived: m.GetPacketsReceived(),
		PacketsSent:     m.GetPacketsSent(),
		Watches:         m.GetWatches(),
		Znodes:          m.GetZnodes(),
		Ephemerals:      m.GetEphemerals(),
		DataBytes:       m.GetApproximateDataBytes(),
		Latency: Latency{
			Min:  time.Duration(m.GetLatency().GetMinUs()) * time.Microsecond,
			Mean: time.Duration(m.GetLatency().GetMeanUs() * float64(time.Microsecond)),
			Max:  time.Duration(m.GetLatency().GetMaxUs()) * time.Microsecond,
		},
		Storage:  storageFromProto(m.GetStorage()),
		Refusal:  m.GetRefusal(),
		Warnings: m.GetWarnings(),
		Ensemble: ensembleFromProto(m.GetEnsemble()),
	}
}

// storageFromProto is the inverse of Storage.proto.
func storageFromProto(m *paddockv1.Storage) Storage {
	return Storage{
		Snapshots:      m.GetSnapshots(),
		SnapshotBytes:  m.GetSnapshotBytes(),
		Logs:           m.GetLogs(),
		LogBytes:       m.GetLogBytes(),
		NewestSnapshot: zk.Zxid(m.GetNewestSnapshotZxid()),
		DiskFreeBytes:  m.GetDiskFreeBytes(),
		DiskTotalBytes: m.GetDiskTotalBytes(),
		LastPurge:      fromUnixMS(m.GetLastPurgeUnixMs()),
	}
}

// String is the state as `paddock status` prints it.
func (s State) String() string {
	switch s {
	case StateStarting:
		return "starting"
	case StateLooking:
		return "looking"
	case StateServing:
		return "serving"
	case StateReadOnly:
		return "read-only"
	case StateRefusing:
		return "refusing"
	case StateStopping:
		return "stopping"
	default:
		return "unspecified"
	}
}

// String is the mode in ZooKeeper's words.
func (m Mode) String() string {
	switch m {
	case ModeStandalone:
		return "standalone"
	case ModeLeader:
		return "leader"
	case ModeFollower:
		return "follower"
	case ModeObserver:
		return "observer"
	default:
		return "none"
	}
}

// String is the role in ZooKeeper's words.
func (r MemberRole) String() string {
	switch r {
	case MemberLooking:
		return "looking"
	case MemberFollower:
		return "follower"
	case MemberLeader:
		return "leader"
	case MemberObserver:
		return "observer"
	default:
		return "unknown"
	}
}
