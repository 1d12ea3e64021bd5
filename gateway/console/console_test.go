package console

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func ask(t *testing.T, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestThePageAndEverythingItRefersToIsServed(t *testing.T) {
	page := ask(t, "GET", "/")
	if page.Code != http.StatusOK || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Fatal(page.Code, page.Header())
	}
	refs := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(refs) < 3 {
		t.Fatalf("the page refers to %q only", refs)
	}
	for _, ref := range refs {
		w := ask(t, "GET", "/"+ref[1])
		if w.Code != http.StatusOK || w.Body.Len() == 0 || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d, %d bytes of %q", ref[1], w.Code, w.Body.Len(), w.Header().Get("Content-Type"))
		}
		if w := ask(t, "GET", "/"+ref[1], "If-None-Match", w.Header().Get("ETag")); w.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", ref[1], w.Code)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{"/nothing", "/dist/main.js", "/../console.go", "/src/main.tsx"} {
		if w := ask(t, "GET", path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := ask(t, "POST", "/"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Error("POST", w.Code, w.Header())
	}
}

func TestThePageMayLoadWhatIsItsOwnOnly(t *testing.T) {
	if p := ask(t, "GET", "/").Header().Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(p, "http") {
		t.Fatal(p)
	}
}
