package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"paddock/server"
	"paddock/server/config"
)

// serveFlags are those of serve.
type serveFlags struct {
	config, myid, logLevel, logFormat, pprof string
}

func newServe() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve [--config zoo.cfg] [key=value...]",
		Short: "Run a server",
		Long: "Run a server until SIGTERM or SIGINT.\n\n" +
			"Without a configuration it serves on port 2181 with its data in ./data. A zoo.cfg is accepted as it is, and\n" +
			"every key of it can be given as key=value, which is stronger: docs/configuration.md has them all.",
		Example: "  paddock serve\n  paddock serve --config /etc/zookeeper/conf/zoo.cfg\n  paddock serve dataDir=/var/lib/paddock clientPort=2182",
		RunE: func(c *cobra.Command, args []string) error {
			if err := named(c, "config"); err != nil {
				return err
			}
			return serve(c, f, args)
		},
		ValidArgsFunction: func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			words, paths := config.Complete(typed)
			switch {
			case paths:
				return nil, cobra.ShellCompDirectiveDefault
			case strings.Contains(typed, "="):
				return words, cobra.ShellCompDirectiveNoFileComp
			default:
				return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace // a value follows
			}
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.config, "config", "", "path of a zoo.cfg")
	fl.StringVar(&f.myid, "myid", "", "the server's id in its ensemble, or auto; it is written into the data directory if no id is there")
	fl.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	fl.StringVar(&f.logFormat, "log-format", "auto", "json, text, or auto: text on a terminal")
	fl.StringVar(&f.pprof, "pprof", "", "address on which to offer Go's profiles, for example 127.0.0.1:6060")
	oneOf(c, "myid", "auto")
	oneOf(c, "log-level", "debug", "info", "warn", "error")
	oneOf(c, "log-format", "auto", "json", "text")
	noFile(c, "pprof")
	return c
}

func serve(c *cobra.Command, f serveFlags, args []string) error {
	log, level, err := newLogger(c.ErrOrStderr(), f.logLevel, f.logFormat)
	if err != nil {
		return err
	}
	if f.myid != "" {
		args = append(slices.Clip(args), "myid="+f.myid)
	}
	source := config.Source{File: f.config, Args: args}.FromEnvironment(os.Getenv).FromHost()
	cfg, notices, err := config.Load(source)
	if err != nil {
		return err
	}
	if f.pprof != "" {
		stop, err := servePprof(f.pprof, log)
		if err != nil {
			return err
		}
		defer stop()
	}
	reload, stop := reloadOnHangup(c.Context(), source, log)
	defer stop()
	err = server.Run(c.Context(), server.Options{Config: cfg, Notices: notices, Logger: log, Version: version, Built: built(), PID: os.Getpid(), Level: level, Reload: reload})
	if err == nil {
		log.Info().Msg("stopped")
	}
	return err
}

// newLogger writes to w, which is the standard error, from a level on that may change.
func newLogger(w io.Writer, level, format string) (zerolog.Logger, *server.LogLevel, error) {
	lv, err := zerolog.ParseLevel(level)
	if err != nil || lv < zerolog.DebugLevel || lv > zerolog.ErrorLevel {
		return zerolog.Logger{}, nil, usageError{fmt.Errorf("--log-level %q: write debug, info, warn or error", level)}
	}
	switch format {
	case "auto":
		if f, ok := w.(*os.File); !ok || !isTerminal(f) {
			break
		}
		fallthrough
	case "text":
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: format == "text"}
	case "json":
	default:
		return zerolog.Logger{}, nil, usageError{fmt.Errorf("--log-format %q: write json, text or auto", format)}
	}
	least := server.NewLogLevel(lv)
	return zerolog.New(w).Sample(least).With().Timestamp().Logger(), least, nil
}

// isTerminal tells whether a person is likely to read f.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// servePprof offers profiles until stop is called.
func servePprof(addr string, log zerolog.Logger) (stop func(), err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, usageError{fmt.Errorf("--pprof %s: %w", addr, err)}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { // ends with Close
		defer close(done)
		srv.Serve(l) // ends with ErrServerClosed
	}()
	log.Warn().Stringer("addr", l.Addr()).Msg("profiles are open to whoever reaches this address")
	return func() { srv.Close(); <-done }, nil
}
