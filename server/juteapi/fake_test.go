package juteapi

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paddock/internal/keystore"
	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/server/secure"
)

func TestMain(m *testing.M) {
	if runBenchServer() {
		return
	}
	goleak.VerifyTestMain(thrice{m})
}

// thrice runs the tests as on a machine of few processors and as on one of many: the owner sends, or the writers do. The
// third time every connection has TLS.
type thrice struct{ *testing.M }

// Run implements goleak.TestingM.
func (t thrice) Run() int {
	code := t.M.Run()
	handOver = true
	code = max(code, t.M.Run())
	overTLS = true
	return max(code, t.M.Run())
}

// overTLS makes all doors speak TLS, and all peers.
var overTLS bool

// stores is where the key stores of the tests are.
const stores = "../../internal/keystore/testdata/"

// newTLS is TLS with the server's key in stores; clients need a certificate or not.
func newTLS(t testing.TB, o secure.Options) *secure.TLS {
	t.Helper()
	o.Key = keystore.Store{Name: "ssl.keyStore", Path: stores + "server.pem"}
	o.Trust = keystore.Store{Name: "ssl.trustStore", Path: stores + "ca.pem"}
	s, err := secure.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tlsClient trusts the authority in stores.
func tlsClient(t testing.TB) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(stores + "ca.pem")
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("authority: %v", err)
	}
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// fake is a handler with an owner goroutine and a batched mailbox, as the real one has. It answers every request with its
// own xid and a rising zxid; answer may do otherwise.
type fake struct {
	// answer, connect are called by the owner; nil for the usual answers.
	answer  func(c *fakeClient, r *zk.Request)
	connect func(c *fakeClient, r *zk.ConnectRequest)
	backlog bool // heed the clients' backlog
	drained chan request.ClientID

	mu      sync.Mutex // guards mail, last, waiting
	mail    []letter
	last    request.ClientID
	waiting int       // requests in mail; Submit blocks while there are too many
	room    sync.Cond // there are fewer
	wake    chan struct{}
	done    chan struct{}
	wg      sync.WaitGroup
	clients map[request.ClientID]*fakeClient // the owner's
	zxid    zk.Zxid
	reply   zk.Reply // reused, as an owner does
	opened  int      // the owner's; read after close
	closed  int
}

type clientID = request.ClientID

type fakeClient struct {
	request.Sink
	id      request.ClientID
	origin  request.Origin
	session zk.SessionID
	ending  bool
	dirty   bool
	held    []zk.Request // not processed since the client has too much backlog
}

// waitingMax is the number of requests that may wait for the owner.
const waitingMax = 10000

// roundClients is how many clients are answered before what they were told is sent. A real owner bounds the bytes of a round.
const roundClients = 16

// letter is one call of the handler.
type letter struct {
	id      request.ClientID
	open    *fakeClient
	connect *zk.ConnectRequest
	reqs    []zk.Request
	drained bool
	close   bool
	do      func()
}

func newFake() *fake {
	f := &fake{wake: make(chan struct{}, 1), done: make(chan struct{}), clients: map[request.ClientID]*fakeClient{},
		drained: make(chan request.ClientID, 100)}
	f.room.L = &f.mu
	f.wg.Go(f.run)
	return f
}

func (f *fake) post(l letter) {
	f.mu.Lock()
	f.mail = append(f.mail, l)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *fake) Open(s request.Sink, o request.Origin) request.ClientID {
	f.mu.Lock()
	f.last++
	id := f.last
	f.mu.Unlock()
	f.post(letter{id: id, open: &fakeClient{Sink: s, id: id, origin: o}})
	return id
}
func (f *fake) Connect(id request.ClientID, r *zk.ConnectRequest) { f.post(letter{id: id, connect: r}) }
func (f *fake) Submit(id request.ClientID, r []zk.Request, _ func()) bool {
	f.mu.Lock()
	for f.waiting > waitingMax {
		f.room.Wait()
	}
	f.waiting += len(r)
	f.mu.Unlock()
	f.post(letter{id: id, reqs: r})
	return true
}
func (f *fake) Close(id request.ClientID) { f.post(letter{id: id, close: true}) }
func (f *fake) Drained(id request.ClientID) {
	f.post(letter{id: id, drained: true})
	select {
	case f.drained <- id:
	default:
	}
}

// do runs fn in the owner and waits.
func (f *fake) do(fn func()) {
	done := make(chan struct{})
	f.post(letter{do: func() { fn(); close(done) }})
	<-done
}

// stop ends the owner.
func (f *fake) stop() {
	close(f.done)
	f.wg.Wait()
}

func (f *fake) run() {
	var spare []letter
	var dirty []*fakeClient
	for {
		f.mu.Lock()
		mail := f.mail
		f.mail = spare[:0]
		f.waiting = 0
		f.mu.Unlock()
		f.room.Broadcast()
		for i := range mail {
			if c := f.step(&mail[i]); c != nil && !c.dirty {
				c.dirty = true
				dirty = append(dirty, c)
			}
			mail[i] = letter{}
			if len(dirty) == roundClients || i == len(mail)-1 {
				for _, c := range dirty {
					c.dirty = false
					c.Flush()
				}
				dirty = dirty[:0]
			}
		}
		spare = mail
		if len(mail) > 0 {
			continue
		}
		select {
		case <-f.wake:
		case <-f.done:
			return
		}
	}
}

func (f *fake) step(l *letter) *fakeClient {
	c := f.clients[l.id]
	switch {
	case l.do != nil:
		l.do()
	case l.open != nil:
		f.clients[l.id] = l.open
		f.opened++
	case l.connect != nil:
		if f.connect != nil {
			f.connect(c, l.connect)
			return c
		}
		c.session = zk.SessionID(0x100000000000000 + l.id)
		if l.connect.Session != 0 {
			c.session = l.connect.Session
		}
		c.Connected(&zk.ConnectResponse{TimeoutMS: max(l.connect.TimeoutMS, 1), Session: c.session,
			Password: c.session.Password()})
	case l.close:
		delete(f.clients, l.id)
		f.closed++
		return nil
	case l.drained:
		held := c.held
		c.held = nil
		f.process(c, held)
	default:
		if len(c.held) > 0 {
			c.held = append(c.held, l.reqs...)
			return c
		}
		f.process(c, l.reqs)
	}
	return c
}

func (f *fake) process(c *fakeClient, reqs []zk.Request) {
	for i := range reqs {
		if c.ending {
			return
		}
		if f.backlog && c.Backlog() > request.BacklogBytesMax {
			c.held = reqs[i:]
			return
		}
		if f.answer != nil {
			f.answer(c, &reqs[i])
			continue
		}
		f.usual(c, &reqs[i])
	}
}

func (f *fake) usual(c *fakeClient, r *zk.Request) {
	f.zxid++
	rep := &f.reply
	*rep = zk.Reply{Xid: r.Xid, Op: r.Op, Zxid: f.zxid, Path: r.Path}
	switch {
	case r.Malformed:
		rep.Err = zk.MarshallingError
	case r.Op == zk.OpGetData:
		rep.Data = payload
	case r.Op == zk.OpPing:
		rep.Xid = zk.XidPing
	case !r.Op.FromClient():
		rep.Err, rep.Zxid = zk.Unimplemented, -1
	}
	c.Reply(rep)
	switch {
	case rep.Err == zk.Unimplemented:
		c.end(request.CloseUnknownOp)
	case r.Op == zk.OpCloseSession:
		c.end(request.CloseSessionClosed)
	}
}

func (c *fakeClient) end(why request.CloseReason) {
	c.ending = true
	c.Close(why)
}

var payload = make([]byte, 100)

// door is a server under test with its handler.
type door struct {
	*Server
	f       *fake
	err     chan error
	reasons chan string // why connections ended or were rejected
}

// open starts a server on a free port; what opt leaves out is made quick for tests.
func open(t testing.TB, opt Options) *door {
	t.Helper()
	f, ok := opt.Handler.(*fake)
	if !ok {
		f = newFake()
		opt.Handler = f
	}
	if opt.FourLetter == nil {
		opt.FourLetter = func(word string, arg func() (int64, bool)) []byte { return []byte(word + "!") }
	}
	reasons := make(chan string, 100)
	if overTLS && opt.TLS == nil {
		opt.TLS = newTLS(t, secure.Options{})
	}
	note := func(why string) {
		select {
		case reasons <- why:
		default: // a test with that many connections does not ask
		}
	}
	opt.Hooks.Closed = note
	opt.Hooks.Rejected = func(why string, _ netip.Addr) { note(why) }
	s, err := Listen("127.0.0.1:0", opt)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{Server: s, f: f, err: make(chan error, 1), reasons: reasons}
	go func() { d.err <- s.Serve() }()
	t.Cleanup(func() { d.shut(t) })
	return d
}

// shut closes the door; every connection opened to the handler must have been closed to it.
func (d *door) shut(t testing.TB) {
	if d.f == nil {
		return
	}
	d.Close()
	if err := <-d.err; err != nil {
		t.Errorf("Serve: %v", err)
	}
	d.f.do(func() {})
	d.f.stop()
	if d.f.opened != d.f.closed {
		t.Errorf("%d clients opened, %d closed", d.f.opened, d.f.closed)
	}
	d.f = nil
}

// expectReason waits for the next connection to end.
func (d *door) expectReason(t testing.TB, want string) {
	t.Helper()
	select {
	case got := <-d.reasons:
		if got != want {
			t.Fatalf("the connection ended for %s, want %s", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("the connection did not end, want %s", want)
	}
}

// peer is a raw connection to the door.
type peer struct {
	net.Conn
	t testing.TB
}

func (d *door) dial(t testing.TB) *peer {
	t.Helper()
	c, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if overTLS {
		c = tls.Client(c, tlsClient(t))
	}
	return &peer{c, t}
}

// session is a peer that has been through the handshake.
func (d *door) session(t testing.TB) *peer {
	t.Helper()
	p := d.dial(t)
	p.send(connectHex)
	p.expectBytes(41)
	return p
}

const connectHex = "0000002d 00000000 0000000000000000 00002710 0000000000000000 00000010 00000000000000000000000000000000 00"

// unhex reads hex with blanks in it.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func (p *peer) send(hex string) { p.sendBytes(unhex(hex)) }

func (p *peer) sendBytes(b []byte) {
	p.t.Helper()
	if _, err := p.Write(b); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// expectBytes reads n bytes.
func (p *peer) expectBytes(n int) []byte {
	p.t.Helper()
	b := make([]byte, n)
	if m, err := io.ReadFull(p, b); err != nil {
		p.t.Fatalf("read %d of %d bytes (%.100x): %v", m, n, b[:m], err)
	}
	return b
}

// expect reads exactly the bytes in hex.
func (p *peer) expect(want string) {
	p.t.Helper()
	w := unhex(want)
	if got := p.expectBytes(len(w)); string(got) != string(w) {
		p.t.Fatalf("read %x, want %x", got, w)
	}
}

// expectEnd reads to the end of the connection and returns what came before it.
func (p *peer) expectEnd() []byte {
	p.t.Helper()
	b, err := io.ReadAll(p)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		p.t.Fatalf("the connection was not closed; read %.100x", b)
	}
	return b
}

// until polls a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
