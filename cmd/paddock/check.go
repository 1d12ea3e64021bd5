package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paddock/internal/survey"
	"paddock/storage/vfs"
)

// checkFlags are those of migrate check.
type checkFlags struct {
	dataDir, logDir string
	timeout         time.Duration
	json            bool
}

func newMigrateCheck() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check HOST:PORT[,HOST:PORT...]",
		Short: "Examine a running ensemble and tell how to replace its servers",
		Long: "Ask the servers of an ensemble on their client ports, ZooKeeper's or Paddock's, and tell what stands in the way of\n" +
			"replacing them one by one, and in which order to do it. It only reads. What a server does not tell, because the word\n" +
			"is not in 4lw.commands.whitelist, is said.\n\n" +
			"The exit code is 0 if all is well, 1 if something should be looked at first, 2 if something stands in the way.",
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return migrateCheck(c, f, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.dataDir, "data-dir", "", "look into this dataDir of a member too; its server may be running")
	fl.StringVar(&f.logDir, "data-log-dir", "", "its dataLogDir, if it has one")
	fl.DurationVar(&f.timeout, "timeout", 5*time.Second, "how long each server may take to answer")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func migrateCheck(c *cobra.Command, f checkFlags, args []string) error {
	var servers []*survey.Server
	asked := map[string]bool{}
	for address := range strings.SplitSeq(strings.Join(args, ","), ",") {
		_, port, err := net.SplitHostPort(address)
		if err == nil && strings.Contains(port, "/") {
			err = errors.New("servers have no path")
		}
		if err != nil {
			return usageError{fmt.Errorf("%q: %w; write for example zk1:2181,zk2:2181,zk3:2181", address, err)}
		}
		if asked[address] { // it would be taken for another member
			continue
		}
		asked[address] = true
		ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
		servers = append(servers, survey.Ask(ctx, address))
		cancel()
	}
	var data *survey.Data
	if f.dataDir != "" {
		var err error
		if data, err = survey.Inspect(vfs.OS{}, f.dataDir, f.logDir); err != nil {
			return err
		}
	}
	r := survey.Examine(servers, data)
	if f.json {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else {
		printReport(c.OutOrStdout(), r)
	}
	if code := r.Code(); code != 0 {
		return exit(code)
	}
	return nil
}

func printReport(out io.Writer, r *survey.Report) {
	for _, s := range r.Servers {
		id := ""
		if s.ID >= 0 {
			id = fmt.Sprintf(" server %d,", s.ID)
		}
		if s.Problem != "" {
			fmt.Fprintf(out, "%s: %s\n", s.Address, s.Problem)
			continue
		}
		fmt.Fprintf(out, "%s:%s %s, version %s, zxid %s\n", s.Address, id, s.Mode, s.Version, s.ZxidHex)
	}
	fmt.Fprintln(out)
	for _, f := range r.Findings {
		about := ""
		if f.Server != "" {
			about = f.Server + ": "
		}
		fmt.Fprintf(out, "%s  %s%s\n", f.Level, about, f.Text)
	}
	fmt.Fprintln(out)
	for i, s := range r.Steps {
		fmt.Fprintf(out, "%d. %s\n", i+1, s)
	}
	fmt.Fprintln(out, [...]string{"Nothing stands in the way.", "Look at the warnings first.", "Something stands in the way."}[r.Code()])
}
