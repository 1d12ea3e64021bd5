package typo

import (
	"slices"
	"strings"
	"testing"
)

func TestNearestName(t *testing.T) {
	names := []string{"pageSize", "pageToken", "withStat", "withData", "depth"}
	for _, row := range []struct{ name, word, want string }{
		{"a name itself", "depth", "depth"},
		{"another case", "pagesize", "pageSize"},
		{"letters that changed places", "pageTokne", "pageToken"},
		{"a letter too many", "withStatt", "withStat"},
		{"a letter too few", "deph", "depth"},
		{"an underscore", "page_size", "pageSize"},
		{"something else", "version", ""},
		{"a single letter", "x", ""},
		{"nothing", "", ""},
		{"more than anybody would write", strings.Repeat("a", 1000), ""},
	} {
		if got := Nearest(row.word, slices.Values(names)); got != row.want {
			t.Errorf("%s: %q is taken for %q, want %q", row.name, row.word, got, row.want)
		}
	}
}
