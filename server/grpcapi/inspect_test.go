package grpcapi

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/replica"
)

// inside is an Insight with much to tell, in no order.
type inside struct {
	n       int
	unaware bool
}

func (i inside) Info() ServerInfo {
	return ServerInfo{Version: "1.2", ServerID: 3, ZooKeeperVersion: "3.8.0", Features: []string{"ttl"}, RequestBytesMax: 1 << 20,
		SessionMin: 4 * time.Second, SessionMax: 40 * time.Second, HistoryAfter: 17}
}

func (i inside) Settings() []Setting {
	return []Setting{{Key: "tickTime", Value: "2000", Source: "zoo.cfg:1"}, {Key: "superDigest", Value: "super:x", Secret: true, Source: "-D"}}
}

func (i inside) Membership() (string, zk.Zxid, bool) {
	return "server.1=a:1:2\nversion=9", 9, !i.unaware
}

func (i inside) Connections() (list []Connection) {
	for k := range i.n {
		list = append(list, Connection{Door: "jute", Address: fmt.Sprintf("10.0.0.1:%d", 1000+k*7919%i.n), Session: zk.SessionID(k%2*100 + 1)})
	}
	return list
}

func (i inside) Sessions(context.Context) (list []Session, ok bool) {
	for k := range i.n {
		list = append(list, Session{ID: zk.SessionID(k*7919%i.n - i.n/2), Ephemerals: []string{"/b", "/a"}})
	}
	return list, !i.unaware
}

func (i inside) Watches(_ context.Context, path string) (list []WatchedPath, ok bool) {
	for k := range i.n {
		list = append(list, WatchedPath{Path: fmt.Sprintf("%s/%d", path, k*7919%i.n), Sessions: make([]zk.SessionID, 3)})
		for s := range 150 {
			list[k].Sessions = append(list[k].Sessions, zk.SessionID(s))
		}
	}
	return list, !i.unaware
}

func (i inside) Figures() ([]Figure, bool) {
	return []Figure{{"znode_count", 5}, {"avg", .5}}, !i.unaware
}

func TestListsComeInPagesThatMeet(t *testing.T) {
	const n = 57
	_, conn := serveOptions(t, Options{Status: full, Insight: inside{n: n}})
	admin := paddockv1.NewAdminServiceClient(conn)
	ask := map[string]func(size int32, token string) (names []string, next string, err error){
		"connections": func(size int32, token string) (names []string, next string, err error) {
			out, err := admin.ListConnections(t.Context(), &paddockv1.ListConnectionsRequest{PageSize: size, PageToken: token})
			for _, c := range out.GetConnections() {
				names = append(names, c.GetAddress())
			}
			return names, out.GetNextPageToken(), err
		},
		"sessions": func(size int32, token string) (names []string, next string, err error) {
			out, err := admin.ListSessions(t.Context(), &paddockv1.ListSessionsRequest{PageSize: size, PageToken: token, WithEphemerals: true})
			for _, s := range out.GetSessions() {
				names = append(names, fmt.Sprintf("%04d", s.GetSessionId()+1000))
				if s.GetEphemerals() != 2 || !slices.Equal(s.GetEphemeralPaths(), []string{"/a", "/b"}) || s.GetAttached() != (s.GetSessionId() == 1) {
					t.Error(s)
				}
			}
			return names, out.GetNextPageToken(), err
		},
		"watches": func(size int32, token string) (names []string, next string, err error) {
			out, err := admin.ListWatches(t.Context(), &paddockv1.ListWatchesRequest{PageSize: size, PageToken: token, Path: "/top"})
			for _, w := range out.GetPaths() {
				names = append(names, w.GetPath())
				if w.GetWatches() != 153 || len(w.GetSessionIds()) != watchSessionsMax {
					t.Errorf("%s: %d watches, %d sessions", w.GetPath(), w.GetWatches(), len(w.GetSessionIds()))
				}
			}
			return names, out.GetNextPageToken(), err
		},
	}
	for what, list := range ask {
		t.Run(what, func(t *testing.T) {
			whole, next, err := list(0, "")
			if err != nil || next != "" || len(whole) != n || !slices.IsSorted(whole) {
				t.Fatalf("%v, next %q: %v", whole, next, err)
			}
			for _, size := range []int32{1, 7, 56, 57, 58} {
				var got []string
				for token := ""; ; {
					names, next, err := list(size, token)
					if err != nil || len(names) > int(size) || len(names) == 0 {
						t.Fatalf("pages of %d: %v, %v", size, names, err)
					}
					got = append(got, names...)
					if token = next; next == "" {
						break
					}
				}
				if !slices.Equal(got, whole) {
					t.Errorf("pages of %d: %v", size, got)
				}
			}
			if _, _, err := list(-1, ""); status.Code(err) != codes.InvalidArgument {
				t.Errorf("a negative page: %v", err)
			}
		})
	}
	if _, _, err := ask["sessions"](1, "nonsense"); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a token that nobody gave: %v", err)
	}
}

func TestWhatTheServerTellsArrives(t *testing.T) {
	_, conn := serveOptions(t, Options{Status: full, Insight: inside{}})
	admin := paddockv1.NewAdminServiceClient(conn)
	info, err := admin.GetServerInfo(t.Context(), &paddockv1.GetServerInfoRequest{})
	if err != nil || info.GetServerId() != 3 || info.GetSessionTimeoutMaxMs() != 40000 || info.GetHistoryAfterZxid() != 17 || info.GetZookeeperVersion() != "3.8.0" {
		t.Error(info, err)
	}
	set, err := admin.GetConfiguration(t.Context(), &paddockv1.GetConfigurationRequest{})
	if err != nil || len(set.GetSettings()) != 2 || set.GetSettings()[0].GetValue() != "2000" || set.GetSettings()[1].GetValue() != hidden {
		t.Error(set, err)
	}
	members, err := admin.GetEnsembleConfiguration(t.Context(), &paddockv1.GetEnsembleConfigurationRequest{})
	if err != nil || members.GetVersion() != 9 || members.GetText() == "" {
		t.Error(members, err)
	}
	figures, err := admin.GetStatistics(t.Context(), &paddockv1.GetStatisticsRequest{})
	if err != nil || len(figures.GetFigures()) != 2 || figures.GetFigures()[0].GetName() != "avg" || figures.GetFigures()[1].GetValue() != 5 {
		t.Error(figures, err)
	}
}

func TestAServerThatCannotTellSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		insight Insight
		code    codes.Code
		reason  string
	}{"busy": {inside{unaware: true}, codes.Unavailable, "CONNECTIONLOSS"}, "without insight": {nil, codes.Unimplemented, "UNIMPLEMENTED"}} {
		t.Run(name, func(t *testing.T) {
			_, conn := serveOptions(t, Options{Status: full, Insight: c.insight})
			admin := paddockv1.NewAdminServiceClient(conn)
			_, sessions := admin.ListSessions(t.Context(), &paddockv1.ListSessionsRequest{})
			_, watches := admin.ListWatches(t.Context(), &paddockv1.ListWatchesRequest{})
			_, figures := admin.GetStatistics(t.Context(), &paddockv1.GetStatisticsRequest{})
			_, members := admin.GetEnsembleConfiguration(t.Context(), &paddockv1.GetEnsembleConfigurationRequest{})
			for _, err := range []error{sessions, watches, figures, members} {
				expect(t, err, c.code, c.reason)
			}
		})
	}
}

// orderCalls are the calls that change something, by name.
func orderCalls(ctx context.Context, conn *grpc.ClientConn) map[string]error {
	admin := paddockv1.NewAdminServiceClient(conn)
	errs := map[string]error{}
	_, errs["expire"] = admin.ExpireSession(ctx, &paddockv1.ExpireSessionRequest{SessionId: 5})
	_, errs["snapshot"] = admin.TakeSnapshot(ctx, &paddockv1.TakeSnapshotRequest{})
	_, errs["level"] = admin.SetLogLevel(ctx, &paddockv1.SetLogLevelRequest{Level: "debug"})
	_, errs["reset"] = admin.ResetStatistics(ctx, &paddockv1.ResetStatisticsRequest{})
	errs["stop"] = Stop(ctx, conn, false)
	_, errs["transfer"] = TransferLeadership(ctx, conn, 0)
	stream, err := admin.StreamSnapshot(ctx, &paddockv1.StreamSnapshotRequest{})
	if err == nil {
		for err == nil {
			_, err = stream.Recv()
		}
	}
	errs["stream"] = err
	return errs
}

func TestWhatChangesSomethingIsForOperators(t *testing.T) {
	o := &orders{}
	_, conn := serveOptions(t, Options{Status: full, Operator: o, Authenticate: guard})
	gateway := metadata.AppendToOutgoingContext(t.Context(), metadataPeer, "10.1.1.1:5")
	for call, err := range orderCalls(gateway, conn) {
		if status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s of a client of the gateway: %v", call, err)
		}
	}
	for call, err := range orderCalls(metadata.AppendToOutgoingContext(gateway, metadataAuthorization, basicAuth("anne:x")), conn) {
		if status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s of a user: %v", call, err)
		}
	}
	if len(o.asked) != 0 {
		t.Fatal(o.asked)
	}
	for call, err := range orderCalls(metadata.AppendToOutgoingContext(gateway, metadataAuthorization, basicAuth("super:secret")), conn) {
		want := codes.OK
		switch call {
		case "stream":
			want = codes.Unknown // the end of the stream
		case "expire":
			want = codes.Unavailable // this server has no handler
		}
		if status.Code(err) != want {
			t.Errorf("%s of the superuser: %v", call, err)
		}
	}
	if got := fmt.Sprint(o.asked); got != "[snapshot level debug reset stop false transfer 0 stream]" {
		t.Error(got)
	}
}

func TestASnapshotArrivesInPieces(t *testing.T) {
	_, conn := serveOptions(t, Options{Status: full, Operator: &orders{}})
	stream, err := paddockv1.NewAdminServiceClient(conn).StreamSnapshot(t.Context(), &paddockv1.StreamSnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var zxids []uint64
	bytes := 0
	for {
		piece, err := stream.Recv()
		if err != nil {
			break
		}
		zxids, bytes = append(zxids, piece.GetZxid()), bytes+len(piece.GetChunk())
	}
	if bytes != 2*chunkBytes || !slices.Equal(zxids, []uint64{9, 0}) {
		t.Errorf("%d bytes, zxids %v", bytes, zxids)
	}
}

func TestReconfigurationsThatMakeNoSense(t *testing.T) {
	for name, in := range map[string]*paddockv1.ReconfigureRequest{
		"nothing is asked for":              {},
		"the whole and a part":              {Members: []string{"server.1=a:1:2"}, Leaving: []int64{2}},
		"two servers in a line":             {Joining: []string{"server.1=a:1:2,server.2=b:1:2"}},
		"a line that is no server":          {Joining: []string{"tickTime=1"}},
		"a version that no transaction has": {Leaving: []int64{1}, FromVersion: 1 << 63},
	} {
		if _, err := membersOf(in); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := membersOf(&paddockv1.ReconfigureRequest{Joining: []string{"server.1=a:1:2", "server.2=b:1:2"}, Leaving: []int64{4, 5}, FromVersion: 7})
	if err != nil || m.Joining != "server.1=a:1:2,server.2=b:1:2" || m.Leaving != "4,5" || m.Version != 7 {
		t.Error(m, err)
	}
}

// known is a server's insight that knows some sessions.
type known struct {
	inside
	ids []zk.SessionID
}

func (k *known) Sessions(context.Context) (list []Session, ok bool) {
	for _, id := range k.ids {
		list = append(list, Session{ID: id})
	}
	return list, true
}

// A session that came without a connection of its own, as those of HTTP do, is attached all the same.
func TestASessionIsAttachedWhetherOrNotItHasAConnection(t *testing.T) {
	in := &known{}
	r := newRig(t, func(o *Options, _ *replica.Config) { o.Insight = in })
	_, first := r.open(30_000)
	_, second := r.open(30_000) // which the connection is not said to be of
	in.ids = []zk.SessionID{1, zk.SessionID(first.GetSessionId()), zk.SessionID(second.GetSessionId())}
	out, err := paddockv1.NewAdminServiceClient(r.conn).ListSessions(t.Context(), &paddockv1.ListSessionsRequest{})
	if err != nil || len(out.GetSessions()) != 3 {
		t.Fatal(out, err)
	}
	for _, s := range out.GetSessions() {
		if want := s.GetSessionId() != 1; s.GetAttached() != want || (s.GetAddress() != "") != want {
			t.Error(s)
		}
	}
}
