package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// Set by the linker; see the Makefile.
var (
	version    = "devel"
	commitTime = "" // of the commit that was built, in seconds since 1970
)

// built is the time of the commit, which makes builds of it equal; zero if unknown.
func built() time.Time {
	seconds, err := strconv.ParseInt(commitTime, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

func newVersion() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			v := versionInfo{Version: version, Commit: commit(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if !asJSON {
				fmt.Fprintf(c.OutOrStdout(), "paddock %s %s %s %s\n", v.Version, v.Commit, v.Go, v.Platform)
				return nil
			}
			return json.NewEncoder(c.OutOrStdout()).Encode(v)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// versionInfo is what version --json prints.
type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"` // of the work tree the binary was built in, "unknown" if it was not one
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// commit is the first 12 digits, with a + if the work tree had changes.
func commit() string {
	const digits = 12
	at, changed := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && len(s.Value) >= digits:
				at = s.Value[:digits]
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = "+"
			}
		}
	}
	return at + changed
}
