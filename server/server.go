package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"

	"paddock/server/config"
	"paddock/server/driver"
	"paddock/server/grpcapi"
	"paddock/server/juteapi"
	"paddock/server/replica"
	"paddock/server/secure"
	"paddock/storage/datadir"
)

// Options is what a server is made from.
type Options struct {
	Config  *config.Config
	Notices []config.Notice // of loading the configuration; they are logged and shown by status
	Logger  zerolog.Logger
	Version string    // of Paddock, as status shows it
	Built   time.Time // when this version was made; zero if unknown
	PID     int       // of this process, written into the lock file
	Level   *LogLevel // of Logger, for who changes it while the server runs; nil if it stays
	// Reload brings the configuration whenever it was read anew; nil if it never is.
	Reload <-chan *config.Config
}

// server is what the parts share while Run lasts.
type server struct {
	opt   Options
	cfg   *config.Config
	log   zerolog.Logger
	began time.Time

	state    atomic.Uint32                // grpcapi.State
	role     atomic.Pointer[replica.Note] // RoleTaken, of a member that serves
	progress atomic.Pointer[string]
	usage    atomic.Pointer[usage] // as upkeep last measured it
	live     atomic.Pointer[live]  // nil until the state is recovered

	metrics *serverMetrics
	tracer  trace.Tracer // nil if nobody wants spans
	tls     *secure.TLS  // nil if no door speaks it
	notes   *notes
	written written // snapshots
	warned  warned
	// firstHere: no Paddock server has had the data directory before.
	firstHere bool
	// streaming has a token while a snapshot is sent to an operator: one at a time.
	streaming chan struct{}
	fatal     chan error // the first error of a part that the server cannot go on without
	upkeep    chan struct{}

	stopAsked chan struct{} // closed when an operator wants the server to end
	stopOnce  sync.Once
	wg        sync.WaitGroup
}

// live is the part of the server that exists once the state is recovered.
type live struct {
	dir    *datadir.Dir
	disk   *disk
	peers  *ensemble // nil for a server on its own, and so is configuration
	driver *driver.Driver
	client *juteapi.Server // nil if the client port is closed
	secure *juteapi.Server // the client port over TLS, or nil
	grpc   *grpcapi.Server // nil in tests of parts

	configuration *configuration
}

// inspectTimeout bounds how long status and words wait for an owner that is very busy.
const inspectTimeout = 2 * time.Second

// inspect reads the replica; false if its owner has no time for that.
func (l *live) inspect(fn func(*replica.Replica, *driver.Stats)) bool {
	ctx, cancel := context.WithTimeout(context.Background(), inspectTimeout)
	defer cancel()
	return l.driver.Inspect(ctx, fn)
}

// ports are the client ports that are open.
func (l *live) ports() (open []*juteapi.Server) {
	for _, p := range []*juteapi.Server{l.client, l.secure} {
		if p != nil {
			open = append(open, p)
		}
	}
	return open
}

// clients are the connections of the client ports and what they have sent and received.
func (l *live) clients() (conns []juteapi.ConnStats, total juteapi.PacketStats) {
	for _, p := range l.ports() {
		conns = append(conns, p.Connections()...)
		total.Add(p.Totals())
	}
	return conns, total
}

// outstanding is how many requests of the connections are not answered yet.
func outstanding(conns []juteapi.ConnStats) (n int64) {
	for i := range conns {
		n += conns[i].Outstanding
	}
	return n
}

// Run is the life of one server. It returns nil after ctx has ended, everything acknowledged being durable. Any other
// end is an error: a config.Problem, whose ExitCode is the process's, or the reason why the server cannot go on.
func Run(ctx context.Context, opt Options) error {
	s := &server{
		opt: opt, cfg: opt.Config, log: opt.Logger, began: time.Now(), fatal: make(chan error, 1), upkeep: make(chan struct{}, 1),
		metrics: newMetrics(), stopAsked: make(chan struct{}),
		streaming: make(chan struct{}, 1),
	}
	s.setState(grpcapi.StateStarting)
	s.logNotices()
	return s.run(ctx)
}

// run opens what is closed again in the reverse order.
func (s *server) run(ctx context.Context) (err error) {
	if s.tls, err = s.newTLS(); err != nil {
		return err
	}
	dir, err := s.openDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer s.wg.Wait()
	defer cancel()
	s.notes = newNotes(s.log, s.opt.Level, s.metrics)
	s.notes.apart = s.apart
	s.wg.Go(func() { s.notes.run(ctx) })
	s.wg.Go(func() { keepHeap(ctx) })
	if s.tls != nil {
		s.wg.Go(func() { s.tls.Watch(ctx, s.cfg.TLS.Reload) })
	}

	stopTracing, err := s.openTracing(ctx)
	if err != nil {
		return err
	}
	defer stopTracing()
	doors, err := s.openDoors()
	if err != nil {
		return err
	}
	defer doors.stop()
	l, err := s.recover(ctx, dir)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped before it served
	}
	if err != nil {
		return err
	}
	return s.serve(ctx, l, doors)
}

// serve runs the driver and the client port until ctx ends or a part fails.
func (s *server) serve(ctx context.Context, l *live, doors *doors) (err error) {
	defer func() {
		if closed := l.disk.Close(); err == nil && closed != nil {
			err = fmt.Errorf("close the transaction log: %w", closed)
		}
	}()

	owner, stopOwner := context.WithCancel(context.WithoutCancel(ctx))
	defer stopOwner()
	ended := make(chan error, 1)
	go func() { ended <- runOwner(owner, l) }()
	l.grpc = doors.grpc
	// Before the other members hear of this one: it is no use to them if it cannot serve.
	if err := s.openClientPorts(l, doors); err != nil {
		stopOwner()
		return errors.Join(err, <-ended)
	}
	if l.peers != nil {
		peers, stopPeers := context.WithCancel(context.WithoutCancel(ctx))
		var closed sync.WaitGroup
		defer closed.Wait()
		defer stopPeers() // after the owner, so that what it says last is sent
		closed.Go(func() { s.runTransport(peers, l.peers) })
		closed.Go(func() { l.peers.members.watch(peers) })
	}
	s.live.Store(l)
	if l.configuration != nil {
		l.configuration.openedAt(l)
		s.wg.Go(func() { l.configuration.moveAgain(ctx) })
	}
	if l.peers == nil {
		s.setState(grpcapi.StateServing)
	} else {
		s.state.CompareAndSwap(uint32(grpcapi.StateStarting), uint32(grpcapi.StateLooking))
	}
	s.logServing(l) // after the state is told, so that who has read it finds the server ready
	s.wg.Go(func() { s.keepUp(ctx, l) })
	s.wg.Go(func() { s.reloads(ctx, l) })

	select {
	case <-ctx.Done():
		s.log.Info().Msg("stopping")
	case <-s.stopAsked:
		s.log.Info().Msg("stopping, as an operator wants")
	case err = <-s.fatal:
	case err = <-ended:
		ended <- err
	}
	s.setState(grpcapi.StateStopping)
	s.settle(doors, err)
	var ports sync.WaitGroup
	for _, p := range l.ports() {
		ports.Go(func() { // ends with the port
			if err == nil {
				s.drain(p)
			}
			p.Close()
		})
	}
	ports.Wait()
	stopOwner()
	return errors.Join(err, without(<-ended, err))
}

// settle ends what the gRPC port has with the driver, which it needs for that. A driver that has failed is not waited for.
func (s *server) settle(d *doors, failed error) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if failed != nil {
		cancel()
	}
	d.grpc.Settle(ctx)
}

// drain answers what has been asked.
func (s *server) drain(client *juteapi.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Requests.ShutdownTimeout)
	defer cancel()
	client.Drain(ctx)
}

// runOwner runs the driver. A broken invariant ends the server like a broken disk does: nothing has been acknowledged
// after it, and the exit code lets a service manager start it again.
func runOwner(ctx context.Context, l *live) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a defect in the server stopped it before it could do harm, please report it: %v\n%s", p, debug.Stack())
		}
	}()
	if err := l.driver.Run(ctx); err != nil {
		return fmt.Errorf("%w; nothing has been acknowledged since: see to the disk, then start the server again", err)
	}
	return nil
}

// without is err unless it is the one already known.
func without(err, known error) error {
	if errors.Is(known, err) {
		return nil
	}
	return err
}

// fail ends the server with the first error it is given.
func (s *server) fail(err error) {
	select {
	case s.fatal <- err:
	default:
	}
}

func (s *server) setState(st grpcapi.State) { s.state.Store(uint32(st)) }

// logNotices says what the configuration was accepted with.
func (s *server) logNotices() {
	for _, n := range s.opt.Notices {
		s.log.WithLevel(levels[n.Level]).Msg(n.String())
	}
}

var levels = map[config.Level]zerolog.Level{
	config.Info: zerolog.InfoLevel, config.Warn: zerolog.WarnLevel, config.Error: zerolog.ErrorLevel,
}

// logServing is the line that says that clients may come, or that they may as soon as the ensemble has a leader.
func (s *server) logServing(l *live) {
	e := s.log.Info().Str("version", s.opt.Version).Dur("took_ms", time.Since(s.began))
	if l.client != nil {
		e = e.Stringer("client_port", l.client.Addr())
	}
	if l.secure != nil {
		e = e.Stringer("secure_client_port", l.secure.Addr())
	}
	if l.peers != nil {
		e.Msg("ready; clients are served once there is a leader")
		return
	}
	e.Msg("serving")
}

// reportPrepare tells of zeros that could not be written ahead; a disk that is full goes on without them.
func (s *server) reportPrepare(err error) {
	s.log.Warn().Err(err).Msg("log space not prepared; writes will be slower")
}
