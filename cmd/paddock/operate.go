package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"paddock/server/config"
	"paddock/server/grpcapi"
	"paddock/storage/datadir"
)

// place is where the data directory of a running server is.
type place struct{ config, dataDir string }

func (p *place) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.config, "config", "", "path of the server's zoo.cfg")
	c.Flags().StringVar(&p.dataDir, "data-dir", "", "its data directory (default: that of the configuration, or ./data)")
}

// dial makes a connection to the socket in the data directory.
func (p *place) dial() (*grpc.ClientConn, *config.Config, error) {
	cfg, _, err := p.locate()
	if err != nil {
		return nil, nil, err
	}
	conn, err := grpcapi.DialLocal(cfg.DataDir)
	return conn, cfg, err
}

// locate finds the data directory. A configuration with which no server would start is good enough to find one that runs:
// a reconfiguration has removed it, or somebody is just editing the file. What is wrong is in problem then.
func (p *place) locate() (cfg *config.Config, problem, err error) {
	source := config.Source{File: p.config}.FromHost()
	if p.dataDir != "" {
		source.Args = []string{"dataDir=" + p.dataDir}
	}
	cfg, _, problem = config.Load(source)
	if problem == nil || cfg.DataDir == "" {
		return cfg, nil, problem
	}
	if _, runs := lockHolder(filepath.Join(cfg.DataDir, datadir.LockName)); !runs {
		return cfg, nil, problem
	}
	return cfg, problem, nil
}

// told makes what a server answered into what the user reads.
func told(err error, cfg *config.Config) error {
	switch grpcstatus.Code(err) {
	case codes.OK:
		return err
	case codes.Unavailable:
		why, _ := absent(cfg, "", err)
		return errors.New(why)
	case codes.DeadlineExceeded:
		return errors.New("it has not been done in time, and may be done yet; paddock status tells")
	default:
		return errors.New(grpcstatus.Convert(err).Message())
	}
}

// transferTimeout is longer than what a server allows itself.
const transferTimeout = 2 * time.Minute

func newTransfer() *cobra.Command {
	var p place
	var to int64
	c := &cobra.Command{
		Use:   "transfer [--to N] [--config zoo.cfg | --data-dir DIR]",
		Short: "Have another server of the ensemble lead",
		Long: "Have another server lead, whatever it is made by, and wait until it does. It is asked of the leader, on its host. Without\n" +
			"--to the leader chooses the voter whose history reaches furthest.",
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := named(c, "config", "data-dir"); err != nil {
				return err
			}
			if to == 0 && c.Flags().Changed("to") {
				return usageError{errors.New("--to 0: the server with id 0 cannot be asked for; without --to the leader chooses")}
			}
			conn, cfg, err := p.dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(c.Context(), transferTimeout)
			defer cancel()
			leader, err := grpcapi.TransferLeadership(ctx, conn, to)
			if err != nil {
				return told(err, cfg)
			}
			fmt.Fprintf(c.OutOrStdout(), "server %d leads\n", leader)
			return nil
		},
	}
	p.flags(c)
	c.Flags().Int64Var(&to, "to", 0, "id of the server that is to lead")
	return c
}

// stopLook is how often it is looked whether a server is still there.
const stopLook = 50 * time.Millisecond

func newStop() *cobra.Command {
	var p place
	var drain bool
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "stop [--drain] [--config zoo.cfg | --data-dir DIR]",
		Short: "Stop a server in good order",
		Long: "Have the server of a data directory answer what it has been asked, and end; and wait for that. With --drain it takes no new\n" +
			"clients and, if it leads, has another server lead first. If none can, nothing is stopped and the reason is told.",
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := named(c, "config", "data-dir"); err != nil {
				return err
			}
			if timeout <= 0 {
				return usageError{fmt.Errorf("--timeout %v leaves no time; give for example 2m", timeout)}
			}
			conn, cfg, err := p.dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			if err := grpcapi.Stop(ctx, conn, drain); err != nil {
				return told(err, cfg)
			}
			if err := awaitEnd(ctx, conn); err != nil {
				return fmt.Errorf("the server has been told to stop and still runs after %v", timeout)
			}
			fmt.Fprintln(c.OutOrStdout(), "stopped")
			return nil
		},
	}
	p.flags(c)
	c.Flags().BoolVar(&drain, "drain", false, "move leadership away first, and take no new clients")
	c.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait for the end")
	return c
}

// awaitEnd waits until nobody answers on a connection any more.
func awaitEnd(ctx context.Context, conn grpc.ClientConnInterface) error {
	tick := time.NewTicker(stopLook)
	defer tick.Stop()
	for {
		if _, err := grpcapi.FetchStatus(ctx, conn); grpcstatus.Code(err) == codes.Unavailable {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
