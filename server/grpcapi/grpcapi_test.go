package grpcapi

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	paddockv1 "paddock/gen/paddock/v1"
)

// full is a status with every field set to a value of its own.
func full() Status {
	return Status{
		State: StateServing, Mode: ModeStandalone, Version: "0.2.0", ServerID: 7, Zxid: 0x7fffffff00000009,
		Uptime: 1500 * time.Millisecond, PID: 812, DataDir: "/data/zk", ClientAddresses: []string{"127.0.0.1:2181"},
		Connections: 3, Sessions: 2, Outstanding: 1, PacketsReceived: 40, PacketsSent: 41, Watches: 6, Znodes: 12, Ephemerals: 4,
		DataBytes: 4096, Latency: Latency{Min: 20 * time.Microsecond, Mean: 45500 * time.Nanosecond, Max: 9 * time.Millisecond},
		Storage: Storage{Snapshots: 3, SnapshotBytes: 900, Logs: 2, LogBytes: 128 << 20, NewestSnapshot: 0x100000002,
			DiskFreeBytes: 5 << 30, DiskTotalBytes: 10 << 30, LastPurge: time.UnixMilli(1795227086203).UTC()},
		Refusal: "none", Warnings: []string{"forceSync=no: a power failure loses acknowledged writes"},
		Ensemble: &Ensemble{Epoch: 5, Leader: 2, HasLeader: true, Stage: "broadcast", Since: time.UnixMilli(1795227086203).UTC(), Round: 831,
			ConfigVersion: 0x100000000, QuorumReached: true, Committed: 0x500000007, Members: []Member{
				{ServerID: 1, Voter: true, Addresses: []string{"a:2888:3888"}, ClientAddress: "a:2181", Role: MemberFollower, Connected: true,
					Since: time.UnixMilli(1795227086204).UTC(), Synced: true, Behind: 3},
				{ServerID: 2, Voter: true, Self: true, Role: MemberLeader, Behind: BehindUnknown, Problem: "timeout"},
			}},
	}
}

// serve runs a server on a local socket and returns its data directory and a connection to it.
func serve(t *testing.T, source StatusSource) (string, *grpc.ClientConn) {
	t.Helper()
	return serveOptions(t, Options{Status: source})
}

func serveOptions(t *testing.T, o Options) (string, *grpc.ClientConn) {
	t.Helper()
	dir := t.TempDir()
	l, err := ListenLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := New(o)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }() // ends with Stop below
	conn, err := DialLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		s.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return dir, conn
}

func TestStatusArrivesWithEveryField(t *testing.T) {
	want := full()
	for _, v := range reflect.VisibleFields(reflect.TypeOf(want)) {
		if reflect.ValueOf(want).FieldByIndex(v.Index).IsZero() {
			t.Fatalf("the status of this test leaves %s zero", v.Name)
		}
	}
	_, conn := serve(t, full)
	got, err := FetchStatus(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got\n%+v\nwant\n%+v", got, want)
	}
}

// The numbers of State and Mode are those of the enums in the contract, name by name.
func TestStatesAndModesHaveTheNumbersOfTheContract(t *testing.T) {
	check := func(enum protoreflect.EnumDescriptor, prefix string, name func(n int) string) {
		values := enum.Values()
		for i := range values.Len() {
			v := values.Get(i)
			want := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix)), "_", "-")
			got := name(int(v.Number()))
			if v.Number() != 0 && got != want {
				t.Errorf("%s: number %d is %q here", v.Name(), v.Number(), got)
			}
		}
		if beyond := name(values.Len()); beyond != name(0) {
			t.Errorf("%s has no value for %q", enum.Name(), beyond)
		}
	}
	check(paddockv1.ServerState(0).Descriptor(), "SERVER_STATE_", func(n int) string { return State(n).String() })
	check(paddockv1.ServerMode(0).Descriptor(), "SERVER_MODE_", func(n int) string { return Mode(n).String() })
}

func TestJSONIsTheSameEveryTimeWith64BitNumbersAsStrings(t *testing.T) {
	s := full()
	first, err := s.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(first, &fields); err != nil {
		t.Fatal(err)
	}
	if fields["zxid"] != "9223372032559808521" || fields["state"] != "SERVER_STATE_SERVING" {
		t.Fatalf("zxid %v, state %v", fields["zxid"], fields["state"])
	}
	if !strings.Contains(string(first), "\n  \"zxid\": \"9223372032559808521\",\n") {
		t.Fatalf("not indented by two spaces:\n%s", first)
	}
}

func TestHealthFollowsTheState(t *testing.T) {
	var state atomic.Uint32
	_, conn := serve(t, func() Status { return Status{State: State(state.Load())} })
	health := healthpb.NewHealthClient(conn)
	for _, row := range []struct {
		name    string
		state   State
		service string
		want    healthpb.HealthCheckResponse_ServingStatus
		code    codes.Code
	}{
		{"a serving server is healthy", StateServing, "", healthpb.HealthCheckResponse_SERVING, codes.OK},
		{"stale reads are service too", StateReadOnly, "", healthpb.HealthCheckResponse_SERVING, codes.OK},
		{"a starting server is not healthy yet", StateStarting, "", healthpb.HealthCheckResponse_NOT_SERVING, codes.OK},
		{"a server without a leader is not healthy", StateLooking, "", healthpb.HealthCheckResponse_NOT_SERVING, codes.OK},
		{"a refusing server is not healthy", StateRefusing, "", healthpb.HealthCheckResponse_NOT_SERVING, codes.OK},
		{"the admin service answers in any state", StateRefusing, "paddock.v1.AdminService", healthpb.HealthCheckResponse_SERVING, codes.OK},
		{"an unknown service is not found", StateServing, "paddock.v1.Nothing", 0, codes.NotFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			state.Store(uint32(row.state))
			got, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: row.service})
			if status.Code(err) != row.code || got.GetStatus() != row.want {
				t.Fatalf("%v, %v; want %v, %v", got.GetStatus(), err, row.want, row.code)
			}
		})
	}
	all, err := health.List(t.Context(), &healthpb.HealthListRequest{})
	if err != nil || len(all.GetStatuses()) != 2 {
		t.Fatalf("list: %v, %v", all, err)
	}
}

// healthStream is the server's side of a Watch call whose messages a test reads.
type healthStream struct {
	grpc.ServerStreamingServer[healthpb.HealthCheckResponse]
	ctx  context.Context
	sent chan healthpb.HealthCheckResponse_ServingStatus
}

func (s *healthStream) Context() context.Context { return s.ctx }
func (s *healthStream) Send(m *healthpb.HealthCheckResponse) error {
	s.sent <- m.GetStatus()
	return nil
}

func TestHealthWatchTellsEachChangeOnceAndEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var state atomic.Uint32
		h := &healthServer{source: func() Status { return Status{State: State(state.Load())} }}
		stream := &healthStream{ctx: t.Context(), sent: make(chan healthpb.HealthCheckResponse_ServingStatus, 16)}
		ended := make(chan error, 1)
		state.Store(uint32(StateStarting))
		go func() { ended <- h.Watch(&healthpb.HealthCheckRequest{}, stream) }() // ends with StateStopping below
		for _, step := range []struct {
			state State
			want  healthpb.HealthCheckResponse_ServingStatus
		}{
			{StateStarting, healthpb.HealthCheckResponse_NOT_SERVING},
			{StateServing, healthpb.HealthCheckResponse_SERVING},
			{StateLooking, healthpb.HealthCheckResponse_NOT_SERVING},
		} {
			state.Store(uint32(step.state))
			if got := <-stream.sent; got != step.want {
				t.Fatalf("%v: %v, want %v", step.state, got, step.want)
			}
		}
		state.Store(uint32(StateStopping))
		if err := <-ended; status.Code(err) != codes.Unavailable {
			t.Fatalf("ended with %v, want UNAVAILABLE", err)
		}
		if len(stream.sent) != 0 {
			t.Fatalf("%v was sent without a change", <-stream.sent)
		}
	})
}

func TestReflectionNamesTheServices(t *testing.T) {
	_, conn := serve(t, full)
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	reply, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range reply.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	for _, want := range []string{"paddock.v1.AdminService", "grpc.health.v1.Health"} {
		if !strings.Contains(strings.Join(names, " "), want) {
			t.Errorf("%s is not among %v", want, names)
		}
	}
}

func TestLocalSocket(t *testing.T) {
	t.Run("is for its owner only and goes with the listener", func(t *testing.T) {
		dir := t.TempDir()
		l, err := ListenLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, SocketName))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v; want mode 0600", info, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, SocketName)); !os.IsNotExist(err) {
			t.Fatalf("socket after close: %v", err)
		}
	})
	t.Run("replaces one that a killed process left", func(t *testing.T) {
		dir := t.TempDir()
		old, err := net.Listen("unix", filepath.Join(dir, SocketName))
		if err != nil {
			t.Fatal(err)
		}
		old.(*net.UnixListener).SetUnlinkOnClose(false)
		old.Close()
		l, err := ListenLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	})
	t.Run("works below a path longer than a socket address", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := ListenLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		s := New(Options{Status: full})
		go s.Serve(l) // ends with Stop
		defer s.Stop()
		conn, err := DialLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := FetchStatus(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("that nobody listens on is unavailable", func(t *testing.T) {
		conn, err := DialLocal(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := FetchStatus(t.Context(), conn); status.Code(err) != codes.Unavailable {
			t.Fatalf("%v, want UNAVAILABLE", err)
		}
	})
}
