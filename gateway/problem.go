package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// problem is the body of every error: RFC 9457, application/problem+json. Reason is ZooKeeper's name of the error where it has
// one, Zxid a decimal number.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Reason string `json:"reason,omitempty"`
	Path   string `json:"path,omitempty"`
	Zxid   string `json:"zxid,omitempty"`
}

// write answers with the problem.
func (p problem) write(w http.ResponseWriter) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // the client is gone
}

// refuse answers a request that does not get as far as the server.
func refuse(w http.ResponseWriter, code int, detail string) {
	problem{Status: code, Detail: detail}.write(w)
}

// Reasons whose HTTP status says more than that of their gRPC code.
var reasonStatus = map[string]int{
	"BADVERSION": http.StatusConflict, "NOTEMPTY": http.StatusConflict, "NODEEXISTS": http.StatusConflict,
	"NOCHILDRENFOREPHEMERALS": http.StatusConflict, "SESSIONMOVED": http.StatusConflict, "RECONFIGINPROGRESS": http.StatusConflict,
	"ZXID_AHEAD": http.StatusConflict, "LEADER_CANNOT": http.StatusConflict,
	"PAGE_GONE": http.StatusGone, "HISTORY_GONE": http.StatusGone, "TOO_LARGE": http.StatusRequestEntityTooLarge,
}

// fail answers with what a call to the server failed with. Where precondition is set the client has made the request conditional, and
// learns of a conflict as 412.
func fail(w http.ResponseWriter, err error, precondition bool) {
	st := status.Convert(err)
	p := problem{Status: runtime.HTTPStatusFromCode(st.Code()), Detail: st.Message()}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			p.Reason, p.Path, p.Zxid = d.GetReason(), d.GetMetadata()["path"], d.GetMetadata()["zxid"]
		case *errdetails.RetryInfo:
			w.Header().Set("Retry-After", strconv.FormatInt(int64(max(d.GetRetryDelay().AsDuration()+time.Second-1, time.Second)/time.Second), 10))
		}
	}
	if p.Reason == "" && st.Code() == codes.InvalidArgument {
		p.Reason = "BADARGUMENTS" // as the server would say, but the request did not get so far
	}
	if code, ok := reasonStatus[p.Reason]; ok {
		p.Status = code
	}
	if p.Reason == "TOO_MANY" && st.Code() == codes.FailedPrecondition {
		p.Status = http.StatusConflict // more than the request allows, not than the server does
	}
	if precondition && (p.Reason == "BADVERSION" || p.Reason == "NODEEXISTS" || p.Reason == "NONODE") {
		p.Status = http.StatusPreconditionFailed
	}
	if p.Status == http.StatusUnauthorized && p.Reason == "AUTHFAILED" {
		w.Header().Set("WWW-Authenticate", `Basic realm="znodes", charset="UTF-8"`)
	}
	p.write(w)
}

// failRoute is fail for the routes that are generated from the contract.
func failRoute(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	fail(w, err, false)
}

// failRouting answers what no route takes.
func failRouting(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	switch code {
	case http.StatusMethodNotAllowed:
		refuse(w, code, r.Method+" is not possible here; /openapi.json lists what is")
	case http.StatusNotFound:
		refuse(w, code, "there is nothing at "+strconv.Quote(r.URL.Path)+"; /openapi.json lists what there is")
	default:
		refuse(w, code, http.StatusText(code))
	}
}

// invalid is an error of the request itself.
func invalid(detail string) error { return status.Error(codes.InvalidArgument, detail) }
