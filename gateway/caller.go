package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Metadata that tells the server on whose behalf the gateway calls. The server believes it on the gateway's own connection only.
const (
	metaPeer       = "paddock-peer"        // address of the HTTP client, host:port
	metaPeerSecure = "paddock-peer-secure" // "1" if it came through TLS
)

// passed are the headers of a client that the server is told, under the same names. Authorization is passed on by the runtime.
var passed = []string{"paddock-session", "paddock-session-password", "traceparent", "tracestate"}

// incoming decides about one header. Whatever else a client says of itself, such as where it was forwarded from, stays outside.
func incoming(key string) (string, bool) {
	key = strings.ToLower(key)
	return key, slices.Contains(passed, key)
}

// behalf tells who the client is.
func behalf(_ context.Context, r *http.Request) metadata.MD {
	md := metadata.Pairs(metaPeer, r.RemoteAddr)
	if r.TLS != nil {
		md.Set(metaPeerSecure, "1")
	}
	return md
}

// rooted is a connection whose requests have absolute paths: those that come from a URL lack the slash in front.
type rooted struct{ grpc.ClientConnInterface }

// Invoke makes one call.
func (c rooted) Invoke(ctx context.Context, method string, in, out any, opts ...grpc.CallOption) error {
	if m, ok := in.(proto.Message); ok {
		root(m.ProtoReflect())
	}
	return c.ClientConnInterface.Invoke(ctx, method, in, out, opts...)
}

// root makes the path of a request absolute. Contracts name it path, and have it in requests for a single znode only.
func root(m protoreflect.Message) {
	f := m.Descriptor().Fields().ByName("path")
	if f == nil || f.Kind() != protoreflect.StringKind || f.IsList() || !strings.HasSuffix(string(m.Descriptor().Name()), "Request") {
		return
	}
	if p := m.Get(f).String(); !strings.HasPrefix(p, "/") && !optionalPath(m.Descriptor()) {
		m.Set(f, protoreflect.ValueOfString("/"+p))
	}
}

// optionalPath tells of a request whose path may be left out.
func optionalPath(d protoreflect.MessageDescriptor) bool { return d.Name() == "ListWatchesRequest" }

// context is that of a call for r, on its client's behalf.
func (z *znodes) context(r *http.Request, method string) (context.Context, error) {
	if r.Header.Get("Grpc-Timeout") != "" {
		return runtime.AnnotateContext(r.Context(), z.mux, r, method)
	}
	// The same without what the server does not listen to, which takes longer to gather than this.
	md := behalf(r.Context(), r)
	for i, key := range passedCanonical {
		for _, v := range r.Header[key] {
			if printable(v) {
				md[passedAll[i]] = append(md[passedAll[i]], v)
			}
		}
	}
	return metadata.NewOutgoingContext(r.Context(), md), nil
}

// passedAll are the headers that the server is told, as metadata has them; passedCanonical as HTTP has them.
var passedAll, passedCanonical = headers(append([]string{"authorization"}, passed...))

func headers(names []string) (lower, canonical []string) {
	for _, n := range names {
		canonical = append(canonical, http.CanonicalHeaderKey(n))
	}
	return names, canonical
}

// printable tells of a value that metadata can have.
func printable(v string) bool {
	for i := range len(v) {
		if v[i] < 0x20 || v[i] > 0x7e {
			return false
		}
	}
	return true
}
