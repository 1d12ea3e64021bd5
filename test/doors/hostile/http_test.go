//go:build doors

package hostile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/test/doors/rig"
)

// refusals are requests that cannot be, with the status that refuses them and a word of the reason.
var refusals = map[string]struct {
	method, target, body string
	code                 int
	word                 string
}{
	"a list that is a number":            {"POST", "/v1/transactions", `{"then": 5}`, 400, "5"},
	"a path that is a number":            {"POST", "/v1/transactions", `{"guards": [{"path": 1}]}`, 400, "path"},
	"a number that is a word":            {"POST", "/v1/sessions", `{"timeoutMs": "soon"}`, 400, "timeoutMs"},
	"a number that is too large":         {"POST", "/v1/sessions", `{"timeoutMs": 99999999999}`, 400, "timeoutMs"},
	"a number with a fraction":           {"POST", "/v1/sessions", `{"timeoutMs": 1.5}`, 400, "timeoutMs"},
	"an unknown field":                   {"POST", "/v1/sessions", `{"timeout": 5}`, 400, "timeout"},
	"an unknown name of an enum":         {"POST", "/v1/transactions", `{"then": [{"create": {"path": "/x", "mode": "FOREVER"}}]}`, 400, "mode"},
	"two of one choice":                  {"POST", "/v1/reads", `{"reads": [{"get": "/a", "children": "/b"}]}`, 400, ""},
	"bytes that are not base64":          {"POST", "/v1/transactions", `{"then": [{"set": {"path": "/x", "data": "?"}}]}`, 400, "data"},
	"a body that is cut":                 {"POST", "/v1/sessions", `{"timeoutMs": `, 400, ""},
	"a body that goes on behind":         {"POST", "/v1/sessions", `{}{}`, 400, "behind"},
	"a body that is no JSON":             {"POST", "/v1/sessions", "\x00\x01\x02", 400, ""},
	"a string that is not UTF-8":         {"POST", "/v1/reads", "{\"reads\": [{\"get\": \"/\xff\"}]}", 400, "UTF-8"},
	"half a surrogate":                   {"POST", "/v1/reads", `{"reads": [{"get": "/\ud800"}]}`, 400, ""},
	"JSON 10,000 deep":                   {"POST", "/v1/transactions", strings.Repeat(`{"then":[`, 5_000) + strings.Repeat(`]}`, 5_000), 400, "deep"},
	"JSON 10,000 deep and open":          {"POST", "/v1/transactions", strings.Repeat("[", 10_000), 400, "deep"},
	"a path that is not UTF-8":           {"GET", "/v1/znodes/%ff", "", 400, "UTF-8"},
	"a path of a list that is not UTF-8": {"GET", "/v1/children/%ff", "", 400, "UTF-8"},
	"a query that is not UTF-8":          {"GET", "/v1/children/healthy?filter.prefix=%ff", "", 400, "UTF-8"},
	"an access list that is not UTF-8":   {"POST", "/v1/znodes/x?acl=world:%ff:r", "x", 400, "UTF-8"},
	"a path with a null character":       {"GET", "/v1/znodes/a%00b", "", 400, "null"},
	"a path up and away":                 {"GET", "/v1/znodes/../../etc/passwd", "", 400, "relative"},
	"a level that is none":               {"GET", "/v1/znodes/healthy?level=best", "", 400, "level"},
	"a query with a broken escape":       {"GET", "/v1/znodes/healthy?level=%zz", "", 400, "query"},
	"a version that is a word":           {"PUT", "/v1/znodes/healthy?version=last", "x", 400, "version"},
	"a mode that is none":                {"POST", "/v1/znodes/x?mode=forever", "x", 400, "mode"},
	"an access list that is none":        {"POST", "/v1/znodes/x?acl=everyone", "x", 400, "acl"},
	"a method that is none":              {"BREW", "/v1/znodes/healthy", "", 405, "BREW"},
	"a place where nothing is":           {"GET", "/v1/nothing", "", 404, "nothing"},
	"a session that is a word":           {"GET", "/v1/session/ephemerals", "", 400, "mine"},
	"a URL of 70,000 bytes":              {"GET", "/v1/znodes/" + strings.Repeat("x", 70_000), "", 414, "bytes"},
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	s := start(t)
	conn := dial(t, s)
	for name, c := range refusals {
		t.Run(name, func(t *testing.T) {
			headers := []string{"Content-Type", "application/json"}
			if strings.Contains(name, "session") {
				headers = append(headers, "Paddock-Session", "mine", "Paddock-Session-Password", "zz")
			}
			resp, body := send(t, s, c.method, c.target, c.body, headers...)
			var p struct {
				Status int
				Detail string
			}
			if err := json.Unmarshal([]byte(body), &p); err != nil || resp.Header.Get("Content-Type") != "application/problem+json" || p.Status != resp.StatusCode {
				t.Fatalf("%s with the body %.200q is no problem: %v", resp.Status, body, err)
			}
			if p.Status != c.code || p.Detail == "" || !strings.Contains(p.Detail, c.word) || len(p.Detail) > 1000 {
				t.Errorf("refused with %d %.300q, want %d and a word of %q", p.Status, p.Detail, c.code, c.word)
			}
		})
	}
	healthy(t, s, conn)
}

// A client's word about where it comes from counts for nothing.
func TestForgedHeadersChangeNothing(t *testing.T) {
	s := start(t)
	_, want := send(t, s, http.MethodGet, "/v1/whoami", "")
	if !strings.Contains(want, `"127.0.0.1"`) {
		t.Fatal(want)
	}
	for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "Paddock-Peer", "Grpc-Metadata-Paddock-Peer", "Grpc-Metadata-X-Forwarded-For",
		"True-Client-IP", "CF-Connecting-IP", "Via", "Grpc-Metadata-Paddock-Peer-Secure", "Paddock-Peer-Secure"} {
		for _, value := range []string{"10.9.8.7", "10.9.8.7:1", "for=10.9.8.7", "@", ""} {
			if _, got := send(t, s, http.MethodGet, "/v1/whoami", "", name, value); got != want {
				t.Errorf("with %s: %s a client is %s, without %s", name, value, got, want)
			}
			if resp, body := send(t, s, http.MethodPost, "/v1/statistics/reset", "{}", name, value); resp.StatusCode == http.StatusOK {
				t.Errorf("with %s: %s a client does what operators may: %s", name, value, body)
			}
		}
	}
}

const gigabyte = 1 << 30

func TestEndlessBodiesAreCut(t *testing.T) {
	s := start(t)
	under(t, s, func(t *testing.T) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				endless(t, s, fmt.Sprintf("PUT /v1/znodes/big HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", gigabyte), false)
			})
			all.Go(func() {
				endless(t, s, "PUT /v1/znodes/big HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", true)
			})
			all.Go(func() {
				endless(t, s, "POST /v1/transactions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", true)
			})
			all.Go(func() { endless(t, s, "POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", true) })
		}
		all.Wait()
	})
}

// endless sends a head and then a gigabyte, and expects to be told early that this is too much.
func endless(t *testing.T, s *rig.Server, head string, chunked bool) {
	c, err := net.Dial("tcp", s.HTTP)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * patience))
	answer := make(chan string, 1)
	go func() { // ends with the connection
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			answer <- err.Error()
			return
		}
		answer <- resp.Status
	}()
	piece := []byte(strings.Repeat("x", 64<<10))
	if chunked {
		piece = []byte("10000\r\n" + string(piece) + "\r\n")
	}
	sent := 0
	for _, err = io.WriteString(c, head); err == nil && sent < gigabyte; {
		var n int
		n, err = c.Write(piece)
		sent += n
	}
	if got := <-answer; !strings.HasPrefix(got, "413") {
		t.Errorf("%.40q is answered with %q after %d bytes", head, got, sent)
	}
	if sent > gigabyte/4 {
		t.Errorf("%.40q: %d bytes were taken", head, sent)
	}
}

// halves are beginnings of requests whose clients then close their half of the connection.
var halves = map[string]string{
	"nothing":                 "",
	"half a line":             "GET /v1/zno",
	"half a head":             "GET /v1/znodes/healthy HTTP/1.1\r\nHost: x\r\n",
	"half a body":             "PUT /v1/znodes/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nwell",
	"half a chunk":            "PUT /v1/znodes/healthy HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nwell",
	"events and no more":      "GET /v1/znodes/healthy?watch HTTP/1.1\r\nHost: x\r\n\r\n",
	"two heads that disagree": "PUT /v1/znodes/other HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"a preface of HTTP/2":     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"garbage":                 "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}

func TestHalfClosedConnectionsGoAway(t *testing.T) {
	s := start(t)
	under(t, s, func(t *testing.T) {
		var all sync.WaitGroup
		for _, port := range []string{s.HTTP, s.GRPC} {
			for name, text := range halves {
				for range 10 {
					all.Go(func() {
						c, err := net.Dial("tcp", port)
						if err != nil {
							t.Errorf("%s: %v", name, err)
							return
						}
						defer c.Close()
						io.WriteString(c, text)
						c.(*net.TCPConn).CloseWrite()
						c.SetReadDeadline(time.Now().Add(patience))
						io.Copy(io.Discard, c)
					})
				}
			}
		}
		all.Wait()
	})
	if _, body := send(t, s, http.MethodGet, "/v1/znodes/healthy", ""); body != "well" {
		t.Errorf("half a request was taken for a whole one: the data is %q", body)
	}
}

// A client with one connection too many is told so; when others go there is room.
func TestHTTPConnectionsAreBounded(t *testing.T) {
	for name, setting := range map[string]string{"of an address": "httpMaxClientCnxns=3", "in all": "httpMaxCnxns=3"} {
		t.Run(name, func(t *testing.T) {
			s := rig.Start(t, setting)
			alone := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
			get := func() (int, string) {
				resp, err := alone.Get("http://" + s.HTTP + "/v1/znodes/zookeeper")
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return resp.StatusCode, string(body)
			}
			http.DefaultClient.CloseIdleConnections() // of the rig
			var held []net.Conn
			told := ""
			for code := 0; code != http.StatusTooManyRequests; code, told = get() {
				if len(held) == 10 { // one or the other may have been turned away itself, for the sake of one that was not gone yet
					t.Fatalf("with %d connections held another is answered %d %s", len(held), code, told)
				}
				nc, err := net.Dial("tcp", s.HTTP)
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\n"); err != nil {
					t.Fatal(err)
				}
				held = append(held, nc)
			}
			if !strings.Contains(told, "too many connections") || !strings.Contains(told, setting[:len(setting)-2]+" is 3") {
				t.Errorf("it is told %s", told)
			}
			for _, nc := range held {
				nc.Close()
			}
			for end := time.Now().Add(patience); ; {
				if code, body := get(); code == http.StatusOK {
					break
				} else if time.Now().After(end) {
					t.Fatalf("after all have gone another is answered %d %s", code, body)
				}
			}
		})
	}
}
