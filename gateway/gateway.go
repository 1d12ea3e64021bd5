package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protojson"

	"paddock/gen/openapi"
	paddockv1 "paddock/gen/paddock/v1"
)

// readyTimeout bounds how long /readyz waits for the server.
const readyTimeout = 2 * time.Second

// requestBytesMax bounds the body of one REST request.
const requestBytesMax = 4 << 20

// Options are what the gateway may be told.
type Options struct {
	Logger  zerolog.Logger // one debug line per request; the zero value logs nothing
	Metrics http.Handler   // of /metrics; nil for none
}

// New makes the handler for these paths:
//
//	GET /v1/...        REST
//	GET /openapi.json  the OpenAPI 2.0 document of what is under /v1
//	GET /livez         200 while the process answers at all
//	GET /metrics       Options.Metrics
//	GET /readyz        200 while clients are served, otherwise 503 and the reason in one line
//
// Every other path is 404. The error is that of a contract that cannot be mapped, which a release never has.
func New(conn grpc.ClientConnInterface, o Options) (http.Handler, error) {
	rest := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions: protojson.MarshalOptions{EmitUnpopulated: true},
		}),
	)
	admin := paddockv1.NewAdminServiceClient(conn)
	if err := paddockv1.RegisterAdminServiceHandlerClient(context.Background(), rest, admin); err != nil {
		return nil, fmt.Errorf("map AdminService to REST: %w", err)
	}

	mux := http.NewServeMux()
	mux.Handle("/v1/", http.MaxBytesHandler(rest, requestBytesMax))
	mux.HandleFunc("GET /openapi.json", serveOpenAPI)
	mux.HandleFunc("GET /livez", serveLive)
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	mux.Handle("GET /readyz", &ready{health: healthpb.NewHealthClient(conn), admin: admin})
	return logRequests(mux, o.Logger), nil
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
