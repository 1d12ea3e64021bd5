package target

import (
	"slices"
	"testing"
)

func TestChoice(t *testing.T) {
	for _, row := range []struct {
		name, flagged, environment string
		want                       []string
	}{
		{"both servers when nothing is said", "", "", []string{"java", "paddock"}},
		{"the environment chooses when the flag is not given", "", "paddock", []string{"paddock"}},
		{"the flag wins over the environment", "java", "paddock", []string{"java"}},
		{"order and blanks are the caller's", "paddock, java", "", []string{"paddock", "java"}},
		{"an unknown server is refused", "jaava", "", nil},
		{"an empty name is refused", "java,", "", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := choice(row.flagged, row.environment)
			if !slices.Equal(got, row.want) || (err != nil) != (row.want == nil) {
				t.Fatalf("choice(%q, %q) = %q, %v; want %q", row.flagged, row.environment, got, err, row.want)
			}
		})
	}
}
