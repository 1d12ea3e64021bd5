package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
)

// znodesPrefix is where the tree begins: what follows is the path of a znode.
const znodesPrefix = "/v1/znodes"

// znodes serves /v1/znodes/…, where a body is a znode's data as it is:
//
//	GET     the data; Accept: application/json for the message; ?stat for the stat alone; ?watch for events
//	HEAD    whether it is there
//	PUT     creates or sets; If-Match, If-None-Match: * and ?version make it conditional; ?parents, ?acl
//	POST    creates; ?mode, ?ttlMs, ?parents, ?ifAbsent, ?acl
//	DELETE  deletes; If-Match, ?version; ?recursive, ?limit
//
// A query may say ?level, ?minZxid and ?idempotencyKey too, also by the names that the contract has for them, and nothing else.
// The ETag of a znode is that of its data: the zxid of the last change and the version.
type znodes struct {
	mux   *runtime.ServeMux // generated from the contract, for answers in JSON
	call  paddockv1.ZnodeServiceClient
	watch paddockv1.WatchServiceClient
}

// ServeHTTP serves one request.
func (z *znodes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, znodesPrefix)
	if path == "" {
		path = "/"
	}
	q, err := legible(r.URL)
	if err != nil {
		fail(w, err, false)
		return
	}
	var serve func(http.ResponseWriter, *http.Request, string, query) error
	var takes []string
	conditional := r.Header.Get("If-Match") != "" || r.Header.Get("If-None-Match") != ""
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		serve, conditional, takes = z.get, r.Header.Get("If-Match") != "", takenByGet
		if q.Has("watch") {
			serve, takes = z.events, takenByEvents
		}
	case http.MethodPut:
		serve, takes = z.put, takenByPut
	case http.MethodPost:
		serve, takes = z.post, takenByPost
	case http.MethodDelete:
		serve, takes = z.delete, takenByDelete
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT, POST, DELETE, OPTIONS")
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		refuse(w, http.StatusMethodNotAllowed, r.Method+" is not possible on a znode")
		return
	}
	if q, err = q.only(takes); err == nil {
		err = serve(w, r, path, q)
	}
	if err != nil {
		fail(w, err, conditional)
	}
}

// get answers with data, stat, message or events.
func (z *znodes) get(w http.ResponseWriter, r *http.Request, path string, q query) error {
	ctx, err := z.context(r, paddockv1.ZnodeService_Get_FullMethodName)
	if err != nil {
		return err
	}
	read, err := q.read()
	if err != nil {
		return err
	}
	if q.Has("stat") {
		out, err := z.call.Exists(ctx, &paddockv1.ExistsRequest{Path: path, Read: read})
		if err == nil {
			message(w, http.StatusOK, out)
		}
		return err
	}
	out, err := z.call.Get(ctx, &paddockv1.GetRequest{Path: path, Read: read})
	if err != nil {
		return err
	}
	h := w.Header()
	tag := etag(out.GetStat())
	if match := r.Header.Get("If-Match"); match != "" && match != "*" && !slices.Contains(conditionsOf(match), condition{out.GetStat().GetMzxid(), out.GetStat().GetVersion()}) {
		return precondition(path, "the znode is not what If-Match names")
	}
	h.Set("ETag", tag)
	h.Set("Paddock-Zxid", strconv.FormatUint(out.GetZxid(), 10))
	h.Set("Paddock-Version", strconv.FormatInt(int64(out.GetStat().GetVersion()), 10))
	h.Set("Cache-Control", "no-cache")
	h.Add("Vary", "Accept")
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if wantsJSON(r) {
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(appendGet(nil, out)) // the client is gone
		return nil
	}
	h.Set("Content-Type", contentType(out.GetData()))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox") // data is never a page of this origin
	h.Set("Content-Length", strconv.Itoa(len(out.GetData())))
	_, _ = w.Write(out.GetData()) // the client is gone
	return nil
}

// put creates or sets.
func (z *znodes) put(w http.ResponseWriter, r *http.Request, path string, q query) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	ctx, err := z.context(r, paddockv1.ZnodeService_Put_FullMethodName)
	if err != nil {
		return err
	}
	options, err1 := writeOptions(r, q)
	acl, err2 := q.acl()
	version, err3 := q.version()
	parents, err4 := q.flag("parents")
	if err := first(err1, err2, err3, err4); err != nil {
		return err
	}
	return z.putIf(ctx, w, path, wanted{r.Header.Get("If-Match"), r.Header.Get("If-None-Match"), version}, &paddockv1.PutRequest{Path: path, Data: data, Acl: acl, Parents: parents, Options: options})
}

// wanted is what must be there for a change to be made.
type wanted struct {
	match, none string
	version     *int32
}

// putIf creates or sets if what is there is as it must be.
func (z *znodes) putIf(ctx context.Context, w http.ResponseWriter, path string, is wanted, in *paddockv1.PutRequest) error {
	switch {
	case is.none != "" && is.match != "", (is.none != "" || is.match != "") && is.version != nil:
		return invalid("If-Match, If-None-Match and version say different things of what must be there: say one")
	case (is.match != "" || is.version != nil) && (in.GetAcl() != nil || in.GetParents()):
		return invalid("acl and parents are for a znode that is created, which If-Match and version do not allow")
	case is.none == "*":
		out, err := z.call.Create(ctx, &paddockv1.CreateRequest{Path: path, Data: in.GetData(), Acl: in.GetAcl(), Parents: in.GetParents(), Options: in.GetOptions()})
		if err == nil {
			w.Header().Set("Location", location(path))
			written(w, out.GetStat(), http.StatusCreated, &paddockv1.PutResponse{Stat: out.GetStat(), Zxid: out.GetZxid(), Created: true})
		}
		return err
	case is.none != "":
		return invalid("If-None-Match of a PUT can only be *")
	case is.match != "" && is.match != "*":
		op := func(v *int32) *paddockv1.Operation {
			return &paddockv1.Operation{Operation: &paddockv1.Operation_Set{Set: &paddockv1.SetRequest{Path: path, Data: in.GetData(), Version: v}}}
		}
		out, err := z.guarded(ctx, path, is.match, op, in.GetOptions())
		if err == nil {
			stat := out.GetResults()[0].GetStat()
			written(w, stat, http.StatusOK, &paddockv1.PutResponse{Stat: stat, Zxid: out.GetZxid()})
		}
		return err
	case is.match == "*" || is.version != nil:
		out, err := z.call.Set(ctx, &paddockv1.SetRequest{Path: path, Data: in.GetData(), Version: is.version, Options: in.GetOptions()})
		if err == nil {
			written(w, out.GetStat(), http.StatusOK, &paddockv1.PutResponse{Stat: out.GetStat(), Zxid: out.GetZxid()})
		}
		return err
	}
	out, err := z.call.Put(ctx, in)
	if err != nil {
		return err
	}
	code := http.StatusOK
	if out.GetCreated() {
		code = http.StatusCreated
		w.Header().Set("Location", location(path))
	}
	written(w, out.GetStat(), code, out)
	return nil
}

// post creates.
func (z *znodes) post(w http.ResponseWriter, r *http.Request, path string, q query) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	ctx, err := z.context(r, paddockv1.ZnodeService_Create_FullMethodName)
	if err != nil {
		return err
	}
	in := &paddockv1.CreateRequest{Path: path, Data: data}
	var errs [6]error
	in.Options, errs[0] = writeOptions(r, q)
	in.Acl, errs[1] = q.acl()
	in.Mode, errs[2] = q.mode()
	in.Parents, errs[3] = q.flag("parents")
	in.IfAbsent, errs[4] = q.flag("ifAbsent")
	in.TtlMs, errs[5] = q.number("ttlMs")
	if err := first(errs[:]...); err != nil {
		return err
	}
	switch match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match"); {
	case match != "":
		return invalid("If-Match says what must be there, and POST creates what is not there: use PUT")
	case none != "" && none != "*":
		return invalid("If-None-Match of a POST can only be *")
	case none != "" && in.GetIfAbsent():
		return invalid("If-None-Match and ifAbsent say different things of what is there: say one")
	}
	out, err := z.call.Create(ctx, in)
	if err != nil {
		return err
	}
	code := http.StatusOK
	if out.GetCreated() {
		code = http.StatusCreated
		w.Header().Set("Location", location(out.GetPath()))
	}
	written(w, out.GetStat(), code, out)
	return nil
}

// delete deletes.
func (z *znodes) delete(w http.ResponseWriter, r *http.Request, path string, q query) error {
	ctx, err := z.context(r, paddockv1.ZnodeService_Delete_FullMethodName)
	if err != nil {
		return err
	}
	options, err1 := writeOptions(r, q)
	version, err2 := q.version()
	recursive, err3 := q.flag("recursive")
	limit, err4 := q.number("limit")
	if err := first(err1, err2, err3, err4); err != nil {
		return err
	}
	match := r.Header.Get("If-Match")
	switch {
	case r.Header.Get("If-None-Match") != "":
		return invalid("If-None-Match says what must not be there, and DELETE deletes what is: use If-Match")
	case match != "" && version != nil:
		return invalid("If-Match and version say different things of what must be there: say one")
	}
	if match != "" && match != "*" {
		if recursive {
			return invalid("If-Match says nothing of what is below; it cannot go with recursive")
		}
		op := func(v *int32) *paddockv1.Operation {
			return &paddockv1.Operation{Operation: &paddockv1.Operation_Delete{Delete: &paddockv1.DeleteRequest{Path: path, Version: v}}}
		}
		out, err := z.guarded(ctx, path, match, op, options)
		if err == nil {
			message(w, http.StatusOK, &paddockv1.DeleteResponse{Zxid: out.GetZxid(), Deleted: 1})
		}
		return err
	}
	if limit < 0 || limit > 1<<31-1 {
		return invalid("limit must be a number from 0 to 2147483647")
	}
	out, err := z.call.Delete(ctx, &paddockv1.DeleteRequest{Path: path, Version: version, Recursive: recursive, Limit: int32(limit), Options: options})
	if err == nil {
		message(w, http.StatusOK, out)
	}
	return err
}

// written answers with what was written, and the tag of it.
func written(w http.ResponseWriter, stat *paddockv1.Stat, code int, out proto.Message) {
	w.Header().Set("ETag", etag(stat))
	message(w, code, out)
}

// asJSON is how all messages are written: every field, 64-bit numbers as strings, bytes in base64.
var asJSON = protojson.MarshalOptions{EmitUnpopulated: true}

// message answers with a message as JSON.
func message(w http.ResponseWriter, code int, m proto.Message) {
	body, err := asJSON.Marshal(m)
	if err != nil {
		fail(w, fmt.Errorf("encode the answer: %w", err), false)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client is gone
}

// location is the URL of a znode.
func location(path string) string { return (&url.URL{Path: znodesPrefix + path}).EscapedPath() }

// contentType is what a znode's data is served as: what it is was never said, but text can be read.
func contentType(data []byte) string {
	if utf8.Valid(data) {
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// wantsJSON tells whether a client asks for the message rather than the data.
func wantsJSON(r *http.Request) bool {
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		if kind == "application/json" {
			return true
		}
	}
	return false
}
