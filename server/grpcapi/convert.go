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
	}
}

// proto is the storage part as a message.
func (s *Storage) proto() *paddockv1.Storage {
	m := &paddockv1.Storage{
		Snapshots:          s.Snapshots,
		SnapshotBytes:      s.SnapshotBytes,
		Logs:               s.Logs,
		LogBytes:           s.LogBytes,
		NewestSnapshotZxid: uint64(s.NewestSnapshot),
		DiskFreeBytes:      s.DiskFreeBytes,
		DiskTotalBytes:     s.DiskTotalBytes,
	}
	if !s.LastPurge.IsZero() {
		m.LastPurgeUnixMs = s.LastPurge.UnixMilli()
	}
	return m
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
	}
}

// storageFromProto is the inverse of Storage.proto.
func storageFromProto(m *paddockv1.Storage) Storage {
	s := Storage{
		Snapshots:      m.GetSnapshots(),
		SnapshotBytes:  m.GetSnapshotBytes(),
		Logs:           m.GetLogs(),
		LogBytes:       m.GetLogBytes(),
		NewestSnapshot: zk.Zxid(m.GetNewestSnapshotZxid()),
		DiskFreeBytes:  m.GetDiskFreeBytes(),
		DiskTotalBytes: m.GetDiskTotalBytes(),
	}
	if ms := m.GetLastPurgeUnixMs(); ms != 0 {
		s.LastPurge = time.UnixMilli(ms).UTC()
	}
	return s
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
