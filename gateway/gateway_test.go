package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"paddock/gen/openapi"
	paddockv1 "paddock/gen/paddock/v1"
)

// fakeServer is a connection whose other end is this struct.
type fakeServer struct {
	health healthpb.HealthCheckResponse_ServingStatus
	status *paddockv1.Status
	err    error // what every call fails with
	hang   bool  // calls last until their context ends
}

// Invoke answers one call.
func (f *fakeServer) Invoke(ctx context.Context, method string, _, out any, _ ...grpc.CallOption) error {
	if f.hang {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	if f.err != nil {
		return f.err
	}
	switch method {
	case "/paddock.v1.AdminService/GetStatus":
		proto.Merge(out.(proto.Message), &paddockv1.GetStatusResponse{Status: f.status})
	case "/grpc.health.v1.Health/Check":
		proto.Merge(out.(proto.Message), &healthpb.HealthCheckResponse{Status: f.health})
	default:
		return status.Errorf(codes.Unimplemented, "no %s here", method)
	}
	return nil
}

// NewStream is not used by any call there is.
func (f *fakeServer) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "no streams here")
}

// ask sends one request to a gateway in front of the fake.
func ask(t *testing.T, f *fakeServer, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := New(f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w
}

func TestStatusIsTheMessageAsJSON(t *testing.T) {
	w := ask(t, &fakeServer{status: &paddockv1.Status{
		State: paddockv1.ServerState_SERVER_STATE_SERVING, Zxid: 1<<63 + 1, Znodes: 5,
	}}, "GET", "/v1/status")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]any{
		"state": "SERVER_STATE_SERVING", "zxid": "9223372036854775809", "znodes": "5", "sessions": "0", "refusal": "",
	} {
		if got[field] != want {
			t.Errorf("%s is %#v, want %#v", field, got[field], want)
		}
	}
}

func TestPaths(t *testing.T) {
	serving := &fakeServer{health: healthpb.HealthCheckResponse_SERVING, status: &paddockv1.Status{}}
	refusing := &fakeServer{health: healthpb.HealthCheckResponse_NOT_SERVING,
		status: &paddockv1.Status{Refusal: "the log could not be synced; replace the disk and restart"}}
	looking := &fakeServer{health: healthpb.HealthCheckResponse_NOT_SERVING,
		status: &paddockv1.Status{State: paddockv1.ServerState_SERVER_STATE_LOOKING}}
	gone := &fakeServer{err: status.Error(codes.Unavailable, "connection refused")}
	for _, row := range []struct {
		name, method, path string
		server             *fakeServer
		code               int
		body               string
	}{
		{"a serving server is ready", "GET", "/readyz", serving, 200, "ok\n"},
		{"a refusing server says why it is not ready", "GET", "/readyz", refusing, 503,
			"not serving: the log could not be synced; replace the disk and restart\n"},
		{"a server without a reason shows its state", "GET", "/readyz", looking, 503, "not serving: SERVER_STATE_LOOKING\n"},
		{"a server that cannot be asked is not ready", "GET", "/readyz", gone, 503,
			"the server cannot be asked: rpc error: code = Unavailable desc = connection refused\n"},
		{"a process without a server is live", "GET", "/livez", gone, 200, "ok\n"},
		{"HEAD is as good as GET for a probe", "HEAD", "/livez", gone, 200, ""},
		{"a probe is only read", "POST", "/livez", serving, 405, "Method Not Allowed\n"},
		{"a gRPC error becomes the HTTP status of its code", "GET", "/v1/status", gone, 503,
			`{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"connection refused"}` + "\n"},
		{"an unknown REST path is not found", "GET", "/v1/nothing", serving, 404,
			`{"type":"about:blank","title":"Not Found","status":404,"detail":"there is nothing at \"/v1/nothing\"; /openapi.json lists what there is"}` + "\n"},
		{"a wrong method on a REST path is said to be one", "DELETE", "/v1/status", serving, 405, ""},
		{"any other path is left alone", "GET", "/", serving, 404, "404 page not found\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := ask(t, row.server, row.method, row.path)
			got := w.Body.String()
			if strings.HasPrefix(got, "{") {
				got = strings.ReplaceAll(got, ", ", ",")
				got = strings.ReplaceAll(got, `": `, `":`)
			}
			if w.Code != row.code || (row.body != "" && got != row.body) {
				t.Fatalf("%d %q, want %d %q", w.Code, got, row.code, row.body)
			}
		})
	}
}

func TestReadyzDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the two seconds pass at once
		w := ask(t, &fakeServer{hang: true}, "GET", "/readyz")
		if want := "the server does not answer within 2s\n"; w.Code != 503 || w.Body.String() != want {
			t.Fatalf("%d %q, want 503 %q", w.Code, w.Body, want)
		}
	})
}

func TestOpenAPIDescribesEveryRESTPath(t *testing.T) {
	w := ask(t, &fakeServer{}, "GET", "/openapi.json")
	var doc struct {
		Swagger     string
		Paths       map[string]map[string]struct{ Summary string }
		Definitions map[string]struct {
			Properties map[string]struct{ Description, Title string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Swagger != "2.0" || doc.Paths["/v1/status"]["get"].Summary == "" {
		t.Fatalf("version %q, paths %v", doc.Swagger, doc.Paths)
	}
	for field, about := range doc.Definitions["paddockV1Status"].Properties {
		if about.Description == "" && about.Title == "" {
			t.Errorf("%s is not described", field)
		}
	}
}

func TestRequestsAreLoggedAtDebugWithoutTheirQuery(t *testing.T) {
	var out bytes.Buffer
	h, err := New(&fakeServer{}, Options{Logger: zerolog.New(&out)})
	if err != nil {
		t.Fatal(err)
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/nowhere?secret=1", nil))
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["level"] != "debug" || got["path"] != "/nowhere" || got["code"] != 404.0 || strings.Contains(out.String(), "secret") {
		t.Fatalf("logged %s", &out)
	}
}

// openAPI is what the document says of each operation.
type openAPI struct {
	Paths map[string]map[string]struct {
		Parameters []struct{ Name, In string }
	}
}

func TestEachOperationTakesTheParametersOfItsDocumentAlone(t *testing.T) {
	var document openAPI
	if err := json.Unmarshal(openapi.Document, &document); err != nil {
		t.Fatal(err)
	}
	server := &fakeServer{err: status.Error(codes.Unavailable, "asked")}
	number := strings.NewReplacer("{sessionId}", "1", "{path}", "a")
	asked := 0
	for path, methods := range document.Paths {
		for method, operation := range methods {
			target := number.Replace(path)
			asked++
			w := ask(t, server, strings.ToUpper(method), target+"?nonsense=1")
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "nonsense") {
				t.Errorf("%s %s answers nonsense with %d %s", method, path, w.Code, w.Body)
			}
			for _, p := range operation.Parameters {
				if p.In != "query" {
					continue
				}
				// Whatever it makes of the value, it knows the name.
				if w := ask(t, server, strings.ToUpper(method), target+"?"+p.Name+"=1"); strings.Contains(w.Body.String(), "parameter of this request") {
					t.Errorf("%s %s answers its parameter %s with %s", method, path, p.Name, w.Body)
				}
			}
		}
	}
	if asked == 0 {
		t.Error("the document has no operations")
	}
}
