package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"paddock/gateway"
	"paddock/gateway/console"
	"paddock/internal/descriptors"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/admin"
	"paddock/server/admission"
	"paddock/server/config"
	"paddock/server/driver"
	"paddock/server/grpcapi"
	"paddock/server/juteapi"
	"paddock/server/replica"
	"paddock/server/secure"
	"paddock/storage/tree"
)

// doors are the ways in beside the client port. They are open before the state is recovered, so that status and
// probes have an answer.
type doors struct {
	grpc    *grpcapi.Server
	conn    *grpc.ClientConn // the gateway's, for streams
	inside  *grpcapi.Inside  // the gateway's, for everything else
	web     []*http.Server   // of the HTTP port and of the metrics port, as far as they are configured
	retry   context.CancelFunc
	serving sync.WaitGroup
}

// openDoors opens the socket in the data directory and the gRPC port, and goes on to open the HTTP port until it can.
func (s *server) openDoors() (*doors, error) {
	options, err := s.grpcOptions()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &doors{grpc: grpcapi.New(options), retry: cancel}
	var listeners []net.Listener
	local, err := grpcapi.ListenLocal(s.cfg.DataDir)
	if err != nil {
		s.log.Warn().Err(err).Msg("no socket in the data directory: paddock status and the HTTP port cannot tell how the server is")
	} else {
		listeners = append(listeners, local)
	}
	if s.cfg.GRPC.Port != 0 {
		l, err := net.Listen("tcp", address(s.cfg.GRPC))
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			cancel()
			d.grpc.Stop()
			return nil, s.portProblem(err, s.cfg.GRPC.Port, config.GRPCPortTaken)
		}
		l = d.grpc.Limit(l, !s.cfg.TLS.GRPC)
		if s.cfg.TLS.GRPC {
			l = s.tls.Listen(l, "h2")
		}
		listeners = append(listeners, l)
	}
	for _, l := range listeners {
		d.serving.Go(func() {
			if err := d.grpc.Serve(l); err != nil {
				s.fail(fmt.Errorf("gRPC on %s: %w", l.Addr(), err))
			}
		})
	}
	if s.cfg.HTTP.Port != 0 {
		if err := s.openHTTP(ctx, d); err != nil {
			d.stop()
			return nil, err
		}
	}
	if s.cfg.Metrics.Port != 0 {
		s.openMetrics(ctx, d)
	}
	return d, nil
}

// grpcOptions is what the gRPC port needs; what serves clients is nil until the state is recovered.
func (s *server) grpcOptions() (grpcapi.Options, error) {
	authority, err := newAuthority(&s.cfg.Auth)
	if err != nil {
		return grpcapi.Options{}, err
	}
	return grpcapi.Options{
		Status: s.status, Allowed: authority.Check, Operator: operator{s}, Logger: s.log, RequestBytesMax: s.cfg.Client.FrameBytesMax,
		Handler: s.entrance, Insight: insight{s}, Tracer: s.tracer, Credentials: secure.Credentials(),
		Authenticate: authority.Authenticate, MaxClientCnxns: s.cfg.Client.MaxPerAddress, MaxCnxns: s.cfg.Client.MaxTotal,
		Rejected: s.metrics.hooks().Rejected, Refused: func(string) { s.metrics.throttled.Inc() },
		Feed: func() grpcapi.Feed {
			if l := s.live.Load(); l != nil {
				return l.driver.Feed()
			}
			return nil
		},
		SyncConfirmed: func() (yes bool) {
			if l := s.live.Load(); l != nil {
				l.inspect(func(r *replica.Replica, _ *driver.Stats) { yes = r.SyncConfirms() })
			}
			return yes
		},
		View: func(ctx context.Context, paths ...string) (*driver.View, []tree.Ref, error) {
			if l := s.live.Load(); l != nil {
				return l.driver.View(ctx, paths...)
			}
			return nil, nil, driver.ErrNotServing
		},
		TxnAt: func(ctx context.Context, z zk.Zxid) (*txn.Record, error) {
			if l := s.live.Load(); l != nil {
				return l.driver.TxnAt(ctx, z)
			}
			return nil, driver.ErrNotServing
		},
		SessionTimeout: func(_ context.Context, id zk.SessionID) (ms int32, ok bool) {
			if l := s.live.Load(); l != nil {
				l.inspect(func(r *replica.Replica, _ *driver.Stats) { ms, ok = r.TimeoutOf(id) })
			}
			return ms, ok
		},
	}, nil
}

// httpRetry is how long the server waits before it tries a busy HTTP port again.
const httpRetry = 5 * time.Second

const headerTimeout = 10 * time.Second

// openHTTP starts the gateway.
func (s *server) openHTTP(ctx context.Context, d *doors) error {
	authority, err := newAuthority(&s.cfg.Auth)
	if err != nil {
		return err
	}
	conn, err := grpcapi.DialLocal(s.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("HTTP port: connect to the server in %s: %w", s.cfg.DataDir, err)
	}
	d.conn, d.inside = conn, d.grpc.Inside(conn)
	handler, err := gateway.New(d.inside, gateway.Options{
		Logger: s.log, Metrics: admin.Scrape(s.liveWords, true), Commands: s.commands(authority), CommandPath: s.cfg.HTTP.CommandPath, CORSOrigins: s.cfg.HTTP.CORSOrigins, Console: console.Handler(),
	})
	if err != nil {
		return fmt.Errorf("HTTP port: %w", err)
	}
	s.openWeb(ctx, d, webPort{
		about: aboutHTTPPort, gate: "http", name: "HTTP port", key: "httpPort", door: s.cfg.HTTP.Door, tls: s.cfg.TLS.HTTP,
		server: &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: s.cfg.HTTP.IdleTimeout},
	})
	return nil
}

// metricsTimeout bounds how long a scraper may take to read.
const metricsTimeout = 30 * time.Second

// openMetrics opens the port of ZooKeeper's Prometheus provider, which has /metrics and nothing else.
func (s *server) openMetrics(ctx context.Context, d *doors) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", admin.Scrape(s.liveWords, s.cfg.Metrics.Runtime))
	s.openWeb(ctx, d, webPort{
		about: aboutMetricsPort, gate: "metrics", name: "metrics port", key: "metricsProvider.httpPort", door: s.cfg.Metrics.Door,
		server: &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, WriteTimeout: metricsTimeout, IdleTimeout: s.cfg.HTTP.IdleTimeout},
	})
}

// webPort is a port that speaks HTTP.
type webPort struct {
	gate      string // for who is turned away
	name, key string // in the log; in the configuration
	about     about  // in warnings
	door      config.Door
	tls       bool
	server    *http.Server
}

// openWeb serves a port. One that is busy is tried again until ctx ends: nobody coordinates through it.
func (s *server) openWeb(ctx context.Context, d *doors, p webPort) {
	d.web = append(d.web, p.server)
	gate := admission.New(admission.Options{
		Door: p.gate, Logger: s.log, Use: descriptors.Operators, Rejected: s.metrics.hooks().Rejected, Farewell: gateway.TurnedAway, Hear: true,
		PerAddress: s.cfg.HTTP.MaxPerAddress, PerAddressKey: "httpMaxClientCnxns", InAll: s.cfg.HTTP.MaxTotal, InAllKey: "httpMaxCnxns",
	})
	d.serving.Go(func() {
		l := s.listenWeb(ctx, &p)
		if l == nil {
			return
		}
		l = gate.Listen(l, !p.tls)
		if p.tls {
			l = s.tls.Listen(l, "h2", "http/1.1")
		}
		s.log.Info().Stringer("address", l.Addr()).Msg(p.name + " open")
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error().Err(err).Msg(p.name + " closed")
		}
	})
}

// listenWeb returns nil when ctx ends first.
func (s *server) listenWeb(ctx context.Context, p *webPort) net.Listener {
	for first := true; ; first = false {
		l, err := net.Listen("tcp", address(p.door))
		if err == nil {
			s.warned.clear(p.about)
			return l
		}
		if first {
			why := config.WebPortUnusable(p.name, p.key, p.door.Port, err)
			if errors.Is(err, syscall.EADDRINUSE) {
				pid, process, _ := juteapi.PortHolder(p.door.Port)
				why = config.WebPortTaken(p.name, p.key, p.door.Port, pid, process)
			}
			s.warned.set(p.about, why.String())
			s.log.Warn().Err(err).Msg(why.String())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(httpRetry):
		}
	}
}

// stopTimeout bounds how long the doors wait for calls to end.
const stopTimeout = 3 * time.Second

// stop closes the doors: calls that have begun may end, for a while.
func (d *doors) stop() {
	d.retry()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	for _, web := range d.web {
		if web.Shutdown(ctx) != nil {
			web.Close()
		}
	}
	if d.conn != nil {
		d.inside.Close()
		d.conn.Close()
	}
	graceful := make(chan struct{})
	go func() { // ends with Stop at the latest
		d.grpc.GracefulStop()
		close(graceful)
	}()
	select {
	case <-graceful:
	case <-ctx.Done():
		d.grpc.Stop()
		<-graceful
	}
	d.serving.Wait()
}

// openClientPorts starts the client port, and the one over TLS.
func (s *server) openClientPorts(l *live, d *doors) (err error) {
	c := &s.cfg.Client
	if c.Port != 0 {
		opt := juteapi.Options{}
		if s.cfg.TLS.Unified {
			opt.TLS, opt.Unified = s.tls, true
		}
		if l.client, err = s.openClientPort(l, d, c.Door, opt); err != nil {
			return s.portProblem(err, c.Port, config.ClientPortTaken)
		}
	}
	if c.Secure.Port != 0 {
		if l.secure, err = s.openClientPort(l, d, c.Secure, juteapi.Options{Name: "secure client port", TLS: s.tls}); err != nil {
			if l.client != nil {
				l.client.Close()
			}
			return s.portProblem(err, c.Secure.Port, config.SecureClientPortTaken)
		}
	}
	return nil
}

// openClientPort starts one client port. What opt leaves out is as configured.
func (s *server) openClientPort(l *live, d *doors, at config.Door, opt juteapi.Options) (*juteapi.Server, error) {
	c := &s.cfg.Client
	opt.Handler, opt.Logger, opt.Hooks = l.driver, s.log, s.metrics.hooks()
	opt.JuteMaxBuffer, opt.MaxClientCnxns, opt.MaxCnxns = c.FrameBytesMax, c.MaxPerAddress, c.MaxTotal
	opt.SessionlessTimeout, opt.Backlog, opt.KeepAlive = c.SessionlessTimeout, c.ListenBacklog, c.KeepAlive
	if s.cfg.Connect.EarlyDropHandshake {
		opt.DropEarly = func() bool { return words{server: s, l: l}.State() == admin.StateNotServing }
	}
	var port *juteapi.Server
	opt.FourLetter = func(word string, arg func() (int64, bool)) []byte { return s.words(l, port).Answer(word, arg) }
	port, err := juteapi.Listen(address(at), opt)
	if err != nil {
		return nil, err
	}
	d.serving.Go(func() {
		if err := port.Serve(); err != nil {
			s.fail(err)
		}
	})
	return port, nil
}

// portProblem names the process that has the port, and what to do.
func (s *server) portProblem(err error, port int, taken func(*config.Config, int, string) config.Problem) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return config.Problem{File: s.cfg.File, Problem: fmt.Sprintf("port %d cannot be opened: %v", port, err),
			Fix: "correct the address, or choose a port that this user may open", Exit: config.ExitUnexpected}
	}
	pid, process, _ := juteapi.PortHolder(port)
	return taken(s.cfg, pid, process)
}

func address(d config.Door) string { return net.JoinHostPort(d.Address, strconv.Itoa(d.Port)) }
