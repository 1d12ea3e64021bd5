package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"paddock/gen/openapi"
	paddockv1 "paddock/gen/paddock/v1"
)

// readyTimeout bounds how long /readyz waits for the server.
const readyTimeout = 2 * time.Second

// Options are what the gateway may be told.
type Options struct {
	Logger  zerolog.Logger // one debug line per request; the zero value logs nothing
	Metrics http.Handler   // of /metrics; nil for none
	// Commands serves CommandPath and what is below it, as ZooKeeper's AdminServer does; nil for none. The path is absolute and none
	// that New knows itself; "" for /commands.
	Commands    http.Handler
	CommandPath string
	// Console serves every path that nothing else takes; nil for none.
	Console http.Handler
	// CORSOrigins are the origins whose pages may call; "*" for all. None if empty.
	CORSOrigins []string
}

// New makes the handler for these paths:
//
//	/v1/znodes/...     znodes, their data as it is: see znodes
//	/v1/...            REST, generated from the contract
//	GET /openapi.json  the OpenAPI 2.0 document of what is under /v1
//	GET /livez         200 while the process answers at all
//	GET /metrics       Options.Metrics
//	/commands/...      Options.Commands
//	GET /readyz        200 while clients are served, otherwise 503 and the reason in one line
//
// Every other path is Options.Console's, or 404. The error is that of a contract that cannot be mapped, which a release never has. conn is a
// connection of the gateway's own: see metaPeer.
func New(conn grpc.ClientConnInterface, o Options) (http.Handler, error) {
	conn = rooted{conn}
	known := parametersOf(paddockv1.File_paddock_v1_admin_proto, paddockv1.File_paddock_v1_znode_proto, paddockv1.File_paddock_v1_session_proto,
		paddockv1.File_paddock_v1_lock_proto, paddockv1.File_paddock_v1_election_proto)
	rest := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{MarshalOptions: asJSON}),
		runtime.WithIncomingHeaderMatcher(incoming),
		runtime.WithMetadata(behalf),
		runtime.WithErrorHandler(failRoute),
		runtime.WithRoutingErrorHandler(failRouting),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters),
		runtime.WithForwardResponseOption(nextPage),
		runtime.WithMiddlewares(keepRequest, known.only),
		runtime.WithDisablePathLengthFallback(), // a form in a body is no query
	)
	admin := paddockv1.NewAdminServiceClient(conn)
	for _, register := range []func(context.Context, *runtime.ServeMux, grpc.ClientConnInterface) error{
		of(paddockv1.NewAdminServiceClient, paddockv1.RegisterAdminServiceHandlerClient),
		of(paddockv1.NewZnodeServiceClient, paddockv1.RegisterZnodeServiceHandlerClient),
		of(paddockv1.NewSessionServiceClient, paddockv1.RegisterSessionServiceHandlerClient),
		of(paddockv1.NewLockServiceClient, paddockv1.RegisterLockServiceHandlerClient),
		of(paddockv1.NewElectionServiceClient, paddockv1.RegisterElectionServiceHandlerClient),
	} {
		if err := register(context.Background(), rest, conn); err != nil {
			return nil, fmt.Errorf("map the contract to REST: %w", err)
		}
	}
	tree := &znodes{mux: rest, call: paddockv1.NewZnodeServiceClient(conn), watch: paddockv1.NewWatchServiceClient(conn)}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.json", serveOpenAPI)
	mux.HandleFunc("GET /livez", serveLive)
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	if o.Commands != nil {
		path := cmp.Or(o.CommandPath, "/commands")
		mux.Handle(path, o.Commands)
		mux.Handle(path+"/", o.Commands)
	}
	if o.Console != nil {
		mux.Handle("/", o.Console)
	}
	mux.Handle("GET /readyz", &ready{health: healthpb.NewHealthClient(conn), admin: admin})
	all := &limits{next: route(tree, known.routed(shallow(rest)), mux), budget: bodyBytesMax, unread: unread{room: replyBytesMax, slow: replySlow}}
	guarded, err := sameOrigin(all, o.CORSOrigins)
	if err != nil {
		return nil, err
	}
	return logRequests(cors(guarded, o.CORSOrigins), o.Logger), nil
}

// of joins what is generated for one service.
func of[C any](client func(grpc.ClientConnInterface) C, register func(context.Context, *runtime.ServeMux, C) error) func(context.Context, *runtime.ServeMux, grpc.ClientConnInterface) error {
	return func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
		return register(ctx, mux, client(conn))
	}
}

// route takes znodes and all else under /v1 before the mux sees their paths, which it would clean: they are judged as they are.
func route(tree *znodes, rest http.Handler, mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, znodesPrefix); ok && (rest == "" || rest[0] == '/') {
			tree.ServeHTTP(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			rest.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// serveOpenAPI answers with the generated document.
func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(openapi.Document)
}

// serveLive answers that this process runs.
func serveLive(w http.ResponseWriter, _ *http.Request) {
	line(w, http.StatusOK, "ok")
}

// ready answers /readyz.
type ready struct {
	health healthpb.HealthClient
	admin  paddockv1.AdminServiceClient
}

// ServeHTTP asks for the server's health, and for the reason if it is not serving.
func (h *ready) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	health, err := h.health.Check(ctx, &healthpb.HealthCheckRequest{})
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		line(w, http.StatusServiceUnavailable, "the server does not answer within "+readyTimeout.String())
	case err != nil:
		line(w, http.StatusServiceUnavailable, "the server cannot be asked: "+err.Error())
	case health.GetStatus() == healthpb.HealthCheckResponse_SERVING:
		line(w, http.StatusOK, "ok")
	default:
		line(w, http.StatusServiceUnavailable, h.reason(ctx))
	}
}

// reason is why the server does not serve, as well as it can be learnt.
func (h *ready) reason(ctx context.Context) string {
	out, err := h.admin.GetStatus(ctx, &paddockv1.GetStatusRequest{})
	if err != nil {
		return "not serving"
	}
	if why := out.GetStatus().GetRefusal(); why != "" {
		return "not serving: " + why
	}
	return "not serving: " + out.GetStatus().GetState().String()
}

// line answers with one line of plain text that nobody should cache.
func line(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}

// logRequests logs each request at debug, with its outcome and duration.
func logRequests(next http.Handler, log zerolog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &outcome{ResponseWriter: w, code: http.StatusOK}
		began := time.Now()
		next.ServeHTTP(seen, r)
		log.Debug().Str("op", r.Method).Str("path", r.URL.Path).Int("code", seen.code).
			Dur("dur_ms", time.Since(began)).Msg("http request")
	})
}

// outcome remembers the status code of a response.
type outcome struct {
	http.ResponseWriter
	code int
}

// WriteHeader passes the code on.
func (o *outcome) WriteHeader(code int) {
	o.code = code
	o.ResponseWriter.WriteHeader(code)
}

// Unwrap gives http.ResponseController what is below, for flushing.
func (o *outcome) Unwrap() http.ResponseWriter { return o.ResponseWriter }
