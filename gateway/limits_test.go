package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
	l := &limits{room: replyBytesLarge - 1, next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) })}
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
