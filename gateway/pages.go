package gateway

import (
	"context"
	"net/http"
	"net/url"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"
)

// requestKey is under which a request finds its answer's link.
type requestKey struct{}

// keepRequest lets nextPage know what was asked.
func keepRequest(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		next(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, r.URL)), params)
	}
}

// nextPage links a page of a list to the next one (RFC 8288).
func nextPage(ctx context.Context, w http.ResponseWriter, m proto.Message) error {
	page, ok := m.(interface{ GetNextPageToken() string })
	asked, known := ctx.Value(requestKey{}).(*url.URL)
	if !ok || !known || page.GetNextPageToken() == "" {
		return nil
	}
	q := asked.Query()
	q.Del("page_token")
	q.Set("pageToken", page.GetNextPageToken())
	next := url.URL{Path: asked.Path, RawPath: asked.RawPath, RawQuery: q.Encode()}
	w.Header().Set("Link", "<"+next.String()+`>; rel="next"`)
	return nil
}
