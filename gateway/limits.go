package gateway

import (
	"bytes"
	"container/list"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Bounds of what HTTP clients may use before anything is known of them.
const (
	requestBytesMax = 4 << 20          // of one body
	bodyBytesMax    = 256 << 20        // of all bodies that are being read or served
	bodyTimeout     = 30 * time.Second // for a body to arrive
	jsonDepthMax    = 64               // of nested arrays and objects
	writeTimeout    = 30 * time.Second // for a client to take one piece of an answer or a stream
	replyBytesMax   = 256 << 20        // of all answers that clients have not taken, until further requests are refused
	replySlow       = time.Second      // for a client to take a piece of one while there is no room
	replyBytesLarge = 4 << 10          // less than this the HTTP server takes without waiting for the client
	pathBytesMax    = 64 << 10         // of a request's path and query
)

// limits stands before everything that reads a body.
type limits struct {
	next   http.Handler
	inUse  atomic.Int64 // bytes of bodyBytesMax
	budget int64        // bodyBytesMax, or less in tests
	unread unread
}

// unread are the answers that wait for their clients.
type unread struct {
	room int64         // replyBytesMax, or less in tests
	slow time.Duration // replySlow, or other in tests

	mu      sync.Mutex // guards the fields below
	bytes   int64
	waiting list.List // of *piece, by since
}

// piece is one that its client has not taken.
type piece struct {
	bytes   int64
	since   time.Time
	control *http.ResponseController
}

// add notes a piece that is being written.
func (u *unread) add(p *piece) *list.Element {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bytes += p.bytes
	return u.waiting.PushBack(p)
}

// taken notes that the client has taken a piece, or never will.
func (u *unread) taken(e *list.Element) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drop(e)
}

// drop forgets a piece. mu is held.
func (u *unread) drop(e *list.Element) {
	p := e.Value.(*piece)
	u.bytes -= p.bytes
	p.bytes = 0
	u.waiting.Remove(e)
}

// full tells whether so much waits that there is no room for further answers. Before it says so it gives up clients that have not taken a piece
// within slow, the slowest first, so that they do not shut out who reads.
func (u *unread) full() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.bytes > u.room {
		e := u.waiting.Front()
		p := e.Value.(*piece)
		if time.Since(p.since) < u.slow {
			return true
		}
		_ = p.control.SetWriteDeadline(time.Unix(1, 0)) // its Write returns; not possible in tests without a connection
		u.drop(e)
	}
	return false
}

// takenWriter counts what its client has not taken.
type takenWriter struct {
	http.ResponseWriter
	unread *unread
}

// Write writes a piece of the answer, for which the client has writeTimeout.
func (t *takenWriter) Write(b []byte) (int, error) {
	if len(b) < replyBytesLarge {
		return t.ResponseWriter.Write(b)
	}
	p := &piece{int64(len(b)), time.Now(), http.NewResponseController(t.ResponseWriter)}
	_ = p.control.SetWriteDeadline(p.since.Add(writeTimeout)) // not possible in tests without a connection
	waits := t.unread.add(p)
	n, err := t.ResponseWriter.Write(b)
	t.unread.taken(waits)
	if err == nil {
		_ = p.control.SetWriteDeadline(time.Time{})
	}
	return n, err
}

// Unwrap gives http.ResponseController what is below.
func (t *takenWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// ServeHTTP hands on the request with its whole body in memory, or refuses it.
func (l *limits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.unread.full() {
		w.Header().Set("Retry-After", "1")
		problem{Status: http.StatusTooManyRequests, Reason: "TOO_MANY", Detail: "so many answers wait for clients that there is no room for more; try again"}.write(w)
		return
	}
	w = &takenWriter{w, &l.unread}
	if len(r.URL.RequestURI()) > pathBytesMax {
		refuse(w, http.StatusRequestURITooLong, fmt.Sprintf("path and query may have %d bytes", pathBytesMax))
		return
	}
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		l.next.ServeHTTP(w, r)
		return
	}
	need := r.ContentLength
	if need < 0 {
		need = requestBytesMax
	}
	if need > requestBytesMax {
		w.Header().Set("Connection", "close")
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a body may have %d bytes, this one has %d", requestBytesMax, need))
		return
	}
	if l.inUse.Add(need) > l.budget {
		l.inUse.Add(-need)
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "too many large requests at once; try again")
		return
	}
	defer l.inUse.Add(-need)
	body, err := readBody(w, r)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a body may have %d bytes", requestBytesMax))
		return
	case err != nil:
		w.Header().Set("Connection", "close")
		refuse(w, http.StatusRequestTimeout, "the body did not arrive: "+err.Error())
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	l.next.ServeHTTP(w, r)
}

// readBody reads all of a body in bounded time.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // not possible in tests without a connection
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	return io.ReadAll(http.MaxBytesReader(w, r.Body, requestBytesMax))
}

// depth refuses JSON that is nested too deeply for a decoder that recurses. It looks at brackets outside of strings only; whether it
// is JSON at all others find out.
func depth(body []byte) error {
	level, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if level++; level > jsonDepthMax {
				return invalid(fmt.Sprintf("JSON may be nested %d deep", jsonDepthMax))
			}
		case c == '}' || c == ']':
			level--
		}
	}
	return nil
}

// single refuses what stands behind a JSON value, which a decoder would not look at. Whether it is one others find out.
func single(body []byte) error {
	var value json.RawMessage
	d := json.NewDecoder(bytes.NewReader(body))
	if d.Decode(&value) != nil {
		return nil
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("there is something behind the JSON value; a body is one value")
	}
	return nil
}

// legible returns the query of a URL. It refuses a path or query whose text is not UTF-8, which no message can carry.
func legible(u *url.URL) (query, error) {
	values, err := url.ParseQuery(u.RawQuery)
	switch {
	case err != nil:
		return query{}, invalid("the query cannot be read: " + err.Error())
	case !utf8.ValidString(u.Path):
		return query{}, invalid("the path is not UTF-8")
	}
	for key, list := range values {
		if !utf8.ValidString(key) || !utf8.ValidString(strings.Join(list, " ")) {
			return query{}, invalid("the query is not UTF-8")
		}
	}
	return query{values}, nil
}

// shallow stands before the routes that are generated from the contract, which read JSON, and take paths as they were sent.
func shallow(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := legible(r.URL); err != nil {
			fail(w, err, false)
			return
		}
		u, again := *r.URL, *r
		u.RawPath = u.EscapedPath() // or they would take a percent sign in a name for the beginning of an escape
		again.URL = &u
		if r = &again; r.Method == http.MethodHead {
			r.Method = http.MethodGet // whose body the HTTP server leaves out
		}
		if r.ContentLength > 0 {
			body, err := io.ReadAll(r.Body) // in memory already
			if err == nil {
				if err = depth(body); err == nil {
					err = single(body)
				}
			}
			if err != nil {
				fail(w, err, false)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next.ServeHTTP(w, r)
	})
}
