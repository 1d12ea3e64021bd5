package server

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/client"
	"paddock/internal/zk"
	"paddock/server/grpcapi"
	"paddock/storage/snapshot"
	"paddock/storage/vfs"
)

// operators is the admin service of a server, as who owns its data directory sees it.
func operators(t *testing.T, dir string) paddockv1.AdminServiceClient {
	t.Helper()
	conn, err := grpcapi.DialLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return paddockv1.NewAdminServiceClient(conn)
}

func TestAnOperatorSeesClientsAndEndsTheirSessions(t *testing.T) {
	r := start(t, t.TempDir())
	admin := operators(t, r.dir)
	c := r.dial(client.Options{})
	do(t, c, zk.Request{Op: zk.OpCreate, Path: "/e", Mode: zk.Ephemeral})
	do(t, c, zk.Request{Op: zk.OpGetData, Path: "/e", Watch: true})
	do(t, c, zk.Request{Op: zk.OpGetChildren, Path: "/e", Watch: true})
	do(t, c, zk.Request{Op: zk.OpExists, Path: "/else", Watch: true})

	conns, err := admin.ListConnections(t.Context(), &paddockv1.ListConnectionsRequest{})
	if err != nil || len(conns.GetConnections()) != 1 || conns.GetConnections()[0].GetSessionId() != int64(c.Session()) || conns.GetConnections()[0].GetReceived() != 5 {
		t.Error(conns, err)
	}
	sessions, err := admin.ListSessions(t.Context(), &paddockv1.ListSessionsRequest{WithEphemerals: true})
	if err != nil || len(sessions.GetSessions()) != 1 {
		t.Fatal(sessions, err)
	}
	s := sessions.GetSessions()[0]
	if s.GetSessionId() != int64(c.Session()) || !slices.Equal(s.GetEphemeralPaths(), []string{"/e"}) || !s.GetAttached() || s.GetAddress() == "" || s.GetTimeoutMs() == 0 {
		t.Error(s)
	}
	watches, err := admin.ListWatches(t.Context(), &paddockv1.ListWatchesRequest{Path: "/e"})
	if err != nil || len(watches.GetPaths()) != 1 || watches.GetPaths()[0].GetWatches() != 2 || !slices.Equal(watches.GetPaths()[0].GetSessionIds(), []int64{int64(c.Session())}) {
		t.Error(watches, err)
	}

	if _, err := admin.ExpireSession(t.Context(), &paddockv1.ExpireSessionRequest{SessionId: int64(c.Session())}); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	other := r.dial(client.Options{})
	if got := do(t, other, zk.Request{Op: zk.OpExists, Path: "/e"}); got.Err != zk.NoNode {
		t.Error("the ephemeral outlives its session:", got.Err)
	}
	if _, err := client.Dial(t.Context(), r.address(), client.Options{Session: c.Session(), Password: c.Password()}); err == nil {
		t.Error("the session goes on")
	}
	if _, err := admin.ExpireSession(t.Context(), &paddockv1.ExpireSessionRequest{SessionId: int64(c.Session())}); status.Code(err) != codes.NotFound {
		t.Errorf("a session that is over: %v", err)
	}
	left, err := admin.ListSessions(t.Context(), &paddockv1.ListSessionsRequest{})
	if err != nil || len(left.GetSessions()) != 1 || left.GetSessions()[0].GetSessionId() != int64(other.Session()) {
		t.Error(left, err)
	}
}

func TestAnOperatorTakesSnapshots(t *testing.T) {
	r := start(t, t.TempDir())
	admin := operators(t, r.dir)
	c := r.dial(client.Options{})
	zxid := do(t, c, zk.Request{Op: zk.OpCreate, Path: "/a", Data: []byte("kept")}).Zxid

	out, err := admin.TakeSnapshot(t.Context(), &paddockv1.TakeSnapshotRequest{})
	if err != nil || zk.Zxid(out.GetZxid()) < zxid {
		t.Fatal(out, err)
	}
	if name := snapshot.Name(zk.Zxid(out.GetZxid()), snapshot.Plain); !slices.Contains(files(t, r.dir, "snapshot."), name) {
		t.Errorf("no %s among %v", name, files(t, r.dir, "snapshot."))
	}

	stream, err := admin.StreamSnapshot(t.Context(), &paddockv1.StreamSnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var at zk.Zxid
	var file []byte
	for {
		piece, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		at, file = max(at, zk.Zxid(piece.GetZxid())), append(file, piece.GetChunk()...)
	}
	dir, name := t.TempDir(), snapshot.Name(at, snapshot.Plain)
	if err := vfs.WriteFileAtomic(vfs.OS{}, dir+"/"+name, file); err != nil {
		t.Fatal(err)
	}
	tree, _, err := snapshot.Load(vfs.OS{}, dir, name, 1, nil)
	if err != nil || at < zxid || tree.Zxid() != at {
		t.Fatal(at, err)
	}
	if ref, ok := tree.Find("/a"); !ok || string(tree.Data(ref)) != "kept" {
		t.Error("the znode is not in the snapshot")
	}
}

func TestAnOperatorLearnsWhatIsInForce(t *testing.T) {
	r := start(t, t.TempDir(), "tickTime=1500", "DigestAuthenticationProvider.superDigest=super:xQJmxLMiHGwaqBvst5y6rkB6HQs=")
	admin := operators(t, r.dir)
	info, err := admin.GetServerInfo(t.Context(), &paddockv1.GetServerInfoRequest{})
	if err != nil || info.GetSessionTimeoutMinMs() != 3000 || info.GetSessionTimeoutMaxMs() != 30000 || info.GetVersion() != "1.2.3" || slices.Contains(info.GetFeatures(), "reconfig") {
		t.Error(info, err)
	}
	set, err := admin.GetConfiguration(t.Context(), &paddockv1.GetConfigurationRequest{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, s := range set.GetSettings() {
		found[s.GetKey()] = s.GetValue() + " from " + s.GetSource()
		if strings.Contains(s.GetValue(), "xQJmx") {
			t.Errorf("a secret is told: %v", s)
		}
	}
	if found["tickTime"] != "1500 from argument" || found["DigestAuthenticationProvider.superDigest"] != "(hidden) from argument" || !strings.HasSuffix(found["snapCount"], " from default") {
		t.Error(found)
	}
	if _, err := admin.Reconfigure(t.Context(), &paddockv1.ReconfigureRequest{Leaving: []int64{1}}); status.Code(err) != codes.Unimplemented {
		t.Errorf("reconfiguration of a server on its own: %v", err)
	}
	figures, err := admin.GetStatistics(t.Context(), &paddockv1.GetStatisticsRequest{})
	if err != nil || !slices.ContainsFunc(figures.GetFigures(), func(f *paddockv1.Figure) bool { return f.GetName() == "znode_count" && f.GetValue() > 0 }) {
		t.Error(figures, err)
	}
	c := r.dial(client.Options{})
	do(t, c, zk.Request{Op: zk.OpCreate, Path: "/a"})
	if _, err := admin.ResetStatistics(t.Context(), &paddockv1.ResetStatisticsRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := r.word("srvr"); !strings.Contains(got, "\nReceived: 1\n") {
		t.Errorf("nothing is reset:\n%s", got)
	}
}

func TestTheLogLevelChangesWhileTheServerRuns(t *testing.T) {
	cfg, notices := load(t, t.TempDir())
	out, level := newJournal(), NewLogLevel(zerolog.WarnLevel)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { // ends with cancel below
		ended <- Run(ctx, Options{Config: cfg, Notices: notices, Logger: zerolog.New(out).Sample(level), Level: level})
	}()
	admin := operators(t, cfg.DataDir)
	for deadline := time.Now().Add(patience); ; {
		got, err := admin.GetStatus(t.Context(), &paddockv1.GetStatusRequest{})
		if err == nil && got.GetStatus().GetState() == paddockv1.ServerState_SERVER_STATE_SERVING {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(got, err)
		}
	}
	if lines, _ := out.with(`"level":"info"`); len(lines) > 0 {
		t.Error(lines)
	}
	before, err := admin.SetLogLevel(t.Context(), &paddockv1.SetLogLevelRequest{Level: "debug"})
	if err != nil || before.GetPrevious() != "warn" {
		t.Error(before, err)
	}
	if _, err := admin.SetLogLevel(t.Context(), &paddockv1.SetLogLevelRequest{Level: "loud"}); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if lines, _ := out.with("stopping"); len(lines) != 1 {
		t.Errorf("nothing is logged at the new level: %v", out.lines)
	}
}
