package grpcapi

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// Bounds of one page of a list.
const (
	pageDefault      = 1000
	pageMax          = 10000
	watchSessionsMax = 100 // named for one path
)

// hidden stands for the value of a secret.
const hidden = "(hidden)"

// unaware is why there is nothing to tell.
func unaware() error {
	return fault(codes.Unavailable, reasonOf(zk.ConnectionLoss), "the server is starting, going down or too busy to tell; ask again", retrySoon)
}

// insight is what the server tells of itself, or why it does not.
func (a *adminServer) tells() (Insight, error) {
	if a.insight == nil {
		return nil, fault(codes.Unimplemented, reasonOf(zk.Unimplemented), "this server tells no more than its status")
	}
	return a.insight, nil
}

// GetServerInfo implements the service.
func (a *adminServer) GetServerInfo(context.Context, *paddockv1.GetServerInfoRequest) (*paddockv1.GetServerInfoResponse, error) {
	in, err := a.tells()
	if err != nil {
		return nil, err
	}
	i := in.Info()
	return &paddockv1.GetServerInfoResponse{
		Version: i.Version, ServerId: i.ServerID, ZookeeperVersion: i.ZooKeeperVersion, Features: i.Features, RequestBytesMax: i.RequestBytesMax,
		SessionTimeoutMinMs: int32(i.SessionMin.Milliseconds()), SessionTimeoutMaxMs: int32(i.SessionMax.Milliseconds()),
		HistoryAfterZxid: uint64(i.HistoryAfter),
	}, nil
}

// GetConfiguration implements the service.
func (a *adminServer) GetConfiguration(context.Context, *paddockv1.GetConfigurationRequest) (*paddockv1.GetConfigurationResponse, error) {
	in, err := a.tells()
	if err != nil {
		return nil, err
	}
	out := &paddockv1.GetConfigurationResponse{}
	for _, s := range in.Settings() {
		if s.Secret {
			s.Value = hidden
		}
		out.Settings = append(out.Settings, &paddockv1.Setting{Key: s.Key, Value: s.Value, Source: s.Source})
	}
	return out, nil
}

// GetEnsembleConfiguration implements the service.
func (a *adminServer) GetEnsembleConfiguration(context.Context, *paddockv1.GetEnsembleConfigurationRequest) (*paddockv1.GetEnsembleConfigurationResponse, error) {
	in, err := a.tells()
	if err != nil {
		return nil, err
	}
	text, version, ok := in.Membership()
	if !ok {
		return nil, unaware()
	}
	return &paddockv1.GetEnsembleConfigurationResponse{Text: text, Version: uint64(version)}, nil
}

// page cuts a sorted list: what comes after a token, and the token that goes on behind it, "" if nothing is left.
func page[T any](list []T, size int32, token string, after func(item *T, token string) (bool, error), name func(*T) string) ([]T, string, error) {
	switch {
	case size < 0:
		return nil, "", invalid("", "page_size is %d; it must not be negative", size)
	case size == 0:
		size = pageDefault
	}
	size = min(size, pageMax)
	from := 0
	for ; token != "" && from < len(list); from++ {
		behind, err := after(&list[from], token)
		if err != nil {
			return nil, "", invalid("", "page_token %.40q is none that this call has given", token)
		}
		if behind {
			break
		}
	}
	list = list[from:]
	if len(list) <= int(size) {
		return list, "", nil
	}
	list = list[:size]
	return list, name(&list[size-1]), nil
}

// connections are those of all doors, by address.
func (a *adminServer) connections(in Insight) []Connection {
	list := append(in.Connections(), a.open.list()...)
	slices.SortFunc(list, func(x, y Connection) int {
		return cmp.Or(cmp.Compare(x.Address, y.Address), cmp.Compare(x.Door, y.Door))
	})
	return list
}

// connectionName is unique: a client's address has one connection to one door.
func connectionName(c *Connection) string { return c.Address + " " + c.Door }

// ListConnections implements the service.
func (a *adminServer) ListConnections(_ context.Context, q *paddockv1.ListConnectionsRequest) (*paddockv1.ListConnectionsResponse, error) {
	in, err := a.tells()
	if err != nil {
		return nil, err
	}
	list, next, err := page(a.connections(in), q.GetPageSize(), q.GetPageToken(), func(c *Connection, token string) (bool, error) {
		addr, door, _ := strings.Cut(token, " ")
		return cmp.Or(cmp.Compare(c.Address, addr), cmp.Compare(c.Door, door)) > 0, nil
	}, connectionName)
	if err != nil {
		return nil, err
	}
	out := &paddockv1.ListConnectionsResponse{NextPageToken: next}
	for i := range list {
		c := &list[i]
		out.Connections = append(out.Connections, &paddockv1.Connection{
			Door: c.Door, Address: c.Address, SessionId: int64(c.Session), SinceUnixMs: unixMS(c.Since),
			Received: c.Received, Sent: c.Sent, Outstanding: c.Outstanding,
		})
	}
	return out, nil
}

// ListSessions implements the service.
func (a *adminServer) ListSessions(ctx context.Context, q *paddockv1.ListSessionsRequest) (*paddockv1.ListSessionsResponse, error) {
	in, err := a.tells()
	if err != nil {
		return nil, err
	}
	all, ok := in.Sessions(ctx)
	if !ok {
		return nil, unaware()
	}
	slices.SortFunc(all, func(x, y Session) int { return cmp.Compare(x.ID, y.ID) })
	list, next, err := page(all, q.GetPageSize(), q.GetPageToken(), func(s *Session, token string) (bool, error) {
		id, err := strconv.ParseInt(token, 10, 64)
		return int64(s.ID) > id, err
	}, func(s *Session) string { return strconv.FormatInt(int64(s.ID), 10) })
	if err != nil {
		return nil, err
	}
	at := a.attached()
	for _, c := range a.connections(in) {
		at[c.Session] = c.Address
	}
	out := &paddockv1.ListSessionsResponse{NextPageToken: next}
	for i := range list {
		s := &list[i]
		address, attached := at[s.ID]
		m := &paddockv1.Session{
			SessionId: int64(s.ID), TimeoutMs: s.TimeoutMS, Attached: attached, Address: address, Ephemerals: int64(len(s.Ephemerals)), Local: s.Local,
		}
		if q.GetWithEphemerals() {
			slices.Sort(s.Ephemerals)
			m.EphemeralPaths = s.Ephemerals
		}
		out.Sessions = append(out.Sessions, m)
	}
	return out, nil
}

// ListWatches implements the service.
func (a *adminServer) ListWatches(ctx context.Context, q *paddockv1.ListWatchesRequest) (*paddockv1.ListWatchesResponse, error) {
	in, err := a.tells()
	if err != nil {
		return nil, err
	}
	if q.GetPath() != "" && !zk.ValidPath(q.GetPath()) {
		return nil, invalid(q.GetPath(), "path: %s", zk.PathProblem(q.GetPath()))
	}
	all, ok := in.Watches(ctx, q.GetPath())
	if !ok {
		return nil, unaware()
	}
	slices.SortFunc(all, func(x, y WatchedPath) int { return cmp.Compare(x.Path, y.Path) })
	list, next, err := page(all, q.GetPageSize(), q.GetPageToken(),
		func(w *WatchedPath, token string) (bool, error) { return w.Path > token, nil }, func(w *WatchedPath) string { return w.Path })
	if err != nil {
		return nil, err
	}
	out := &paddockv1.ListWatchesResponse{NextPageToken: next}
	for i := range list {
		m := &paddockv1.WatchedPath{Path: list[i].Path, Watches: int64(len(list[i].Sessions))}
		slices.Sort(list[i].Sessions)
		for _, id := range slices.Compact(list[i].Sessions) {
			if len(m.SessionIds) < watchSessionsMax {
				m.SessionIds = append(m.SessionIds, int64(id))
			}
		}
		out.Paths = append(out.Paths, m)
	}
	return out, nil
}

// GetStatistics implements the service.
func (a *adminServer) GetStatistics(context.Context, *paddockv1.GetStatisticsRequest) (*paddockv1.GetStatisticsResponse, error) {
	in, err := a.tells()
	if err != nil {
		return nil, err
	}
	figures, ok := in.Figures()
	if !ok {
		return nil, unaware()
	}
	slices.SortStableFunc(figures, func(x, y Figure) int { return cmp.Compare(x.Name, y.Name) })
	out := &paddockv1.GetStatisticsResponse{}
	for _, f := range figures {
		out.Figures = append(out.Figures, &paddockv1.Figure{Name: f.Name, Value: f.Value})
	}
	return out, nil
}
