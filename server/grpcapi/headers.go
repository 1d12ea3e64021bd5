package grpcapi

import (
	"context"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/tap"
)

// headers are the metadata of a call, if there is any in it that this door looks at; else they are nil. They are read only.
type headers metadata.MD

// headersKey is that of headers in the context of a call.
type headersKey struct{}

// withHeaders lets headersOf find metadata. Most calls have none that count, and are spared looking for each.
func withHeaders(ctx context.Context, md metadata.MD) context.Context {
	for _, key := range [...]string{metadataAuthorization, metadataSession, metadataPassword, metadataPeer, metadataPeerSecure} {
		if _, has := md[key]; has {
			return context.WithValue(ctx, headersKey{}, headers(md))
		}
	}
	return ctx
}

// tapHeaders is withHeaders for gRPC, which copies metadata for whoever asks later.
func tapHeaders(ctx context.Context, call *tap.Info) (context.Context, error) {
	return withHeaders(ctx, call.Header), nil
}

// headersOf are the headers of the call that a context belongs to.
func headersOf(ctx context.Context) headers {
	md, _ := ctx.Value(headersKey{}).(headers)
	return md
}

// all are the values under a key, as one text; "" if there are none.
func (h headers) all(key string) string {
	switch v := h[key]; len(v) {
	case 0:
		return ""
	case 1:
		return v[0]
	default:
		return strings.Join(v, "\x00")
	}
}
