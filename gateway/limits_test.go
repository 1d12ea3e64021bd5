package gateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// slowWriter is that of a client which reads when it is told to.
type slowWriter struct {
	*httptest.ResponseRecorder
	writing, read chan struct{}
}

func (s *slowWriter) Write(b []byte) (int, error) {
	s.writing <- struct{}{}
	<-s.read
	return s.ResponseRecorder.Write(b)
}

func TestAnswersThatNobodyReadsHaveABound(t *testing.T) {
	answer := strings.Repeat("x", replyBytesLarge)
	l := &limits{unread: unread{room: replyBytesLarge - 1, slow: time.Hour}, next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) })}
	request := func() *http.Request { return httptest.NewRequestWithContext(t.Context(), "GET", "/", nil) }
	slow := &slowWriter{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	over := make(chan struct{})
	go func() { // ends when the answer is read
		defer close(over)
		l.ServeHTTP(slow, request())
	}()
	<-slow.writing
	w := httptest.NewRecorder()
	l.ServeHTTP(w, request())
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), `"reason":"TOO_MANY"`) || w.Header().Get("Retry-After") == "" {
		t.Errorf("while an answer waits: %d %v %s", w.Code, w.Header(), w.Body)
	}
	close(slow.read)
	<-over
	w = httptest.NewRecorder()
	l.ServeHTTP(w, request())
	if w.Code != http.StatusOK || w.Body.String() != answer || slow.Body.String() != answer {
		t.Errorf("once it is read: %d, %d and %d bytes", w.Code, w.Body.Len(), slow.Body.Len())
	}
}

// Clients that do not read are given up while there is no room for others; not before they had their time.
func TestWhoDoesNotReadIsGivenUpForOthers(t *testing.T) {
	large := make([]byte, 64<<20) // more than a socket takes
	begun, ended := make(chan struct{}, 2), make(chan error, 2)
	l := &limits{unread: unread{room: int64(len(large)) * 3 / 2, slow: time.Hour}, next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/small" {
			_, _ = w.Write([]byte("small"))
			return
		}
		begun <- struct{}{}
		_, err := w.Write(large)
		ended <- err
	})}
	s := httptest.NewServer(l)
	defer s.Close()
	ask := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err == nil {
			_, err = io.WriteString(c, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		if err != nil {
			t.Fatal(err)
		}
		<-begun
		return c
	}
	get := func() (status int) {
		t.Helper()
		r, err := http.Get(s.URL + "/small")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		_, _ = io.Copy(io.Discard, r.Body)
		return r.StatusCode
	}
	first := ask()
	defer first.Close()
	if got := get(); got != http.StatusOK {
		t.Errorf("while there is room: %d", got)
	}
	second := ask()
	defer second.Close()
	for l.unread.size() < 2*int64(len(large)) {
		<-time.After(time.Millisecond)
	}
	if got := get(); got != http.StatusTooManyRequests || len(ended) > 0 {
		t.Errorf("at once: %d, %d given up", got, len(ended))
	}
	l.unread.mu.Lock()
	l.unread.slow = 0
	l.unread.mu.Unlock()
	if got := get(); got != http.StatusOK {
		t.Errorf("once they are slow: %d", got)
	}
	if err := <-ended; err == nil {
		t.Error("the first that does not read had its whole answer")
	}
	if got := get(); got != http.StatusOK || len(ended) > 0 {
		t.Errorf("once there is room: %d, %d more given up", got, len(ended))
	}
	n, err := io.Copy(io.Discard, io.LimitReader(second, int64(len(large))))
	if err != nil || n != int64(len(large)) || <-ended != nil {
		t.Errorf("the second, which reads after all, had %d bytes: %v", n, err)
	}
	if got := l.unread.size(); got != 0 {
		t.Errorf("%d bytes are counted when nothing waits", got)
	}
}

// size is how many bytes wait.
func (u *unread) size() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.bytes
}
