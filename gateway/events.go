package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
)

const (
	// progressMS is how often a stream of events says how far it is when nothing happens, so that proxies keep it open and a
	// client that comes back does not ask for what is long gone.
	progressMS = 10_000
	// gatheredMax is how many bytes the changes of one transaction may have: an event is one transaction, so that a client can resume
	// after each.
	gatheredMax = 16 << 20
)

// kinds are the watches as a URL names them.
var kinds = map[string]paddockv1.WatchKind{
	"":           paddockv1.WatchKind_WATCH_KIND_PERSISTENT,
	"true":       paddockv1.WatchKind_WATCH_KIND_PERSISTENT,
	"persistent": paddockv1.WatchKind_WATCH_KIND_PERSISTENT,
	"recursive":  paddockv1.WatchKind_WATCH_KIND_RECURSIVE,
	"data":       paddockv1.WatchKind_WATCH_KIND_DATA_ONCE,
	"children":   paddockv1.WatchKind_WATCH_KIND_CHILDREN_ONCE,
}

// change is one change as an event carries it. Text stands for the data where that is UTF-8, Data in base64 otherwise.
type change struct {
	Type     string  `json:"type"`
	Path     string  `json:"path"`
	Zxid     string  `json:"zxid"`
	Text     *string `json:"text,omitempty"`
	Data     []byte  `json:"data,omitempty"`
	OldText  *string `json:"previousText,omitempty"`
	Previous []byte  `json:"previousData,omitempty"`
	ACL      []entry `json:"acl,omitempty"`
	OldACL   []entry `json:"previousAcl,omitempty"`
}

// entry is one of an access list, as it is in the answer to GET /v1/acls.
type entry struct {
	Scheme      string   `json:"scheme"`
	ID          string   `json:"id"`
	Permissions []string `json:"permissions"`
}

// entriesOf is an access list as JSON has it.
func entriesOf(list *paddockv1.AccessList) (out []entry) {
	for _, a := range list.GetAcl() {
		e := entry{Scheme: a.GetScheme(), ID: a.GetId(), Permissions: []string{}}
		for _, p := range a.GetPermissions() {
			e.Permissions = append(e.Permissions, p.String())
		}
		out = append(out, e)
	}
	return out
}

// events answers GET …?watch with server-sent events, until the client leaves or the watch is over:
//
//	event: created    data: {"zxid"}                 the stream begins; id: that zxid
//	event: changes    data: {"changes": […]}         one transaction, or several; id: the zxid of the last
//	event: progress   data: {"zxid"}                 nothing else up to there; id: that zxid
//	event: cancelled  data: {"reason", "detail", "zxid"}   the watch is over
//
// A client that comes back with Last-Event-ID, as browsers do, misses nothing and is told nothing twice. 410 says that the
// history does not go back that far.
func (z *znodes) events(w http.ResponseWriter, r *http.Request, path string, q query) error {
	create, err := watchOf(r, path, q)
	if err != nil {
		return err
	}
	ctx, err := z.context(r, paddockv1.WatchService_Watch_FullMethodName)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := z.watch.Watch(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: create}}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head, err := stream.Recv()
	if err != nil {
		return err
	}
	if over := head.GetCancelled(); over != nil {
		return refused(over, path)
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	out := &eventWriter{w: w, control: http.NewResponseController(w)}
	for err = out.tell(head); err == nil; err = out.tell(head) {
		if head, err = stream.Recv(); err != nil {
			break
		}
	}
	if st := status.Convert(err); !errors.Is(err, errOver) && st.Code() != codes.Canceled && r.Context().Err() == nil {
		_ = out.write("cancelled", "", map[string]string{"reason": either(reason(err), st.Code().String()), "detail": st.Message()})
	}
	return nil
}

// watchOf is the watch that a request asks for.
func watchOf(r *http.Request, path string, q query) (*paddockv1.CreateWatch, error) {
	c := &paddockv1.CreateWatch{WatchId: 1, Path: path, ProgressMs: progressMS}
	kind, ok := kinds[q.Get("watch")]
	if !ok {
		return nil, invalid("watch must be persistent, recursive, data or children")
	}
	c.Kind = kind
	var err1, err2, err3, err4 error
	c.WithData, err1 = q.flag("data")
	c.WithPrevious, err2 = q.flag("previous")
	c.StartAfterZxid, err3 = q.zxid("after")
	c.WithAcl, err4 = q.flag("acl")
	if err := first(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	c.FromStart = q.Has("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		c.FromStart = true
		var err error
		c.StartAfterZxid, err = parseZxid("Last-Event-ID", last)
		return c, err
	}
	return c, nil
}

// refused is why a watch did not begin.
func refused(over *paddockv1.WatchCancelled, path string) error {
	code, why := codes.InvalidArgument, strings.TrimPrefix(over.GetReason().String(), "WATCH_CANCEL_REASON_")
	if why == "HISTORY_GONE" || why == "ZXID_AHEAD" {
		code = codes.FailedPrecondition
	}
	st, err := status.New(code, over.GetMessage()).WithDetails(&errdetails.ErrorInfo{
		Reason: why, Domain: "paddock", Metadata: map[string]string{"path": path, "zxid": strconv.FormatUint(over.GetZxid(), 10)},
	})
	if err != nil {
		return status.Error(code, over.GetMessage())
	}
	return st.Err()
}

// errOver ends a stream whose watch is over.
var errOver = errors.New("the watch is over")

// eventWriter writes server-sent events.
type eventWriter struct {
	w        io.Writer
	control  *http.ResponseController
	gathered []change // of a transaction that came in several messages
	bytes    int
}

// tell writes what the server said.
func (e *eventWriter) tell(m *paddockv1.WatchResponse) error {
	switch {
	case m.GetCreated() != nil:
		z := strconv.FormatUint(m.GetCreated().GetAfterZxid(), 10)
		return e.write("created", z, map[string]string{"zxid": z})
	case m.GetProgress() != nil:
		z := strconv.FormatUint(m.GetProgress().GetZxid(), 10)
		return e.write("progress", z, map[string]string{"zxid": z})
	case m.GetEvents() != nil:
		return e.changes(m.GetEvents())
	case m.GetCancelled() != nil:
		c := m.GetCancelled()
		err := e.write("cancelled", "", map[string]string{
			"reason": strings.TrimPrefix(c.GetReason().String(), "WATCH_CANCEL_REASON_"), "detail": c.GetMessage(), "zxid": strconv.FormatUint(c.GetZxid(), 10),
		})
		return errors.Join(err, errOver)
	}
	return nil
}

// changes writes the changes of whole transactions.
func (e *eventWriter) changes(m *paddockv1.WatchEvents) error {
	for _, c := range m.GetChanges() {
		out := change{
			Type: strings.ToLower(strings.TrimPrefix(c.GetType().String(), "CHANGE_TYPE_")), Path: c.GetPath(), Zxid: strconv.FormatUint(c.GetZxid(), 10),
			ACL: entriesOf(c.GetAcl()), OldACL: entriesOf(c.GetPreviousAcl()),
		}
		if c.Data != nil {
			out.Text, out.Data = textOrData(c.GetData())
		}
		if c.PreviousData != nil {
			out.OldText, out.Previous = textOrData(c.GetPreviousData())
		}
		e.gathered = append(e.gathered, out)
		e.bytes += len(c.GetPath()) + len(c.GetData()) + len(c.GetPreviousData()) + proto.Size(c.GetAcl()) + proto.Size(c.GetPreviousAcl())
	}
	if e.bytes > gatheredMax {
		return status.Errorf(codes.ResourceExhausted, "the changes of one transaction have more than %d bytes: watch over gRPC, or without data", gatheredMax)
	}
	if m.GetMore() || len(e.gathered) == 0 {
		return nil
	}
	all := e.gathered
	e.gathered, e.bytes = nil, 0
	return e.write("changes", all[len(all)-1].Zxid, map[string]any{"changes": all})
}

func textOrData(b []byte) (*string, []byte) {
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	return nil, b
}

// write writes one event and sends it.
func (e *eventWriter) write(name, id string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not possible in tests without a connection
	if id != "" {
		id = "id: " + id + "\n"
	}
	if _, err := fmt.Fprintf(e.w, "event: %s\n%sdata: %s\n\n", name, id, body); err != nil {
		return err
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // a long event has taken the first one away
	return e.control.Flush()
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
