package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// TurnedAway is a whole answer, as HTTP/1 has it on the wire, to a client that has one connection too many: why, in words, and that it may
// come again.
func TurnedAway(text string) []byte {
	p := problem{Type: "about:blank", Status: http.StatusTooManyRequests, Title: http.StatusText(http.StatusTooManyRequests), Detail: text, Reason: "TOO_MANY"}
	body, err := json.Marshal(p)
	if err != nil {
		return nil // a text is always JSON
	}
	r := http.Response{
		StatusCode: p.Status, ProtoMajor: 1, ProtoMinor: 1, Close: true, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}, "Retry-After": {"1"}},
	}
	var out bytes.Buffer
	if r.Write(&out) != nil {
		return nil // a buffer takes all
	}
	return out.Bytes()
}
