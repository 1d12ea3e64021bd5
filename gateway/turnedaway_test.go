package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
)

func TestWhoIsTurnedAwayIsAnsweredInHTTP(t *testing.T) {
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(TurnedAway(`too many "connections"`))), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var p problem
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil || p.Detail != `too many "connections"` || p.Reason != "TOO_MANY" || p.Status != 429 {
		t.Errorf("%+v, %v", p, err)
	}
	if r.StatusCode != http.StatusTooManyRequests || !r.Close || r.Header.Get("Retry-After") != "1" || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%v %v, to be closed: %v", r.Status, r.Header, r.Close)
	}
}
