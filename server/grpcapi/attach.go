package grpcapi

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"sync"

	"google.golang.org/grpc/codes"

	"paddock/internal/zk"
	"paddock/server/request"
)

// Metadata that names a session.
const (
	metadataSession  = "paddock-session"          // decimal, or 0x and hexadecimal
	metadataPassword = "paddock-session-password" // hexadecimal
)

// sessionsMax is how many sessions may be attached to this door at once.
const sessionsMax = 100_000

// identitiesMax is how many identities AddAuth may add to a session.
const identitiesMax = 64

// session is a session that is attached to this door. Everything that is asked for it goes through its line, so that it is answered
// in order.
type session struct {
	id       zk.SessionID
	idText   string // as the metadata has it
	password string
	addr     string // of who has opened it, or taken it up here
	line     *line
	keys     onceKeys // idempotency keys whose records are there

	mu  sync.Mutex // guards ids
	ids []zk.ID    // what AddAuth has added; never modified in place
}

// identities are those that AddAuth has added.
func (s *session) identities() []zk.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids
}

// add adds identities.
func (s *session) add(ids []zk.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = merge(s.ids, ids)
	if len(s.ids) > identitiesMax {
		s.ids = s.ids[:identitiesMax]
		return fault(codes.ResourceExhausted, "TOO_MANY", "the session has as many identities as it may have")
	}
	return nil
}

// merge returns have and what of more is not among it; have is not changed.
func merge(have, more []zk.ID) []zk.ID {
	out := have[:len(have):len(have)]
next:
	for _, id := range more {
		for _, other := range out {
			if id == other {
				continue next
			}
		}
		out = append(out, id)
	}
	return out
}

// named is the session that a call names, attached to this door; nil if it names none.
func (d *door) named(ctx context.Context, said headers, conn *connection, h request.Handler, who *caller) (*session, error) {
	id := said[metadataSession]
	if len(id) == 0 {
		return nil, nil
	}
	password := said[metadataPassword]
	if len(id) > 1 || len(password) != 1 {
		return nil, invalid("", "a session is named by one %s and one %s", metadataSession, metadataPassword)
	}
	if conn != nil {
		if s := conn.recent.Load(); s != nil && s.idText == id[0] && s.password == password[0] && !s.line.gone() {
			return s, nil
		}
	}
	s, err := d.attached(ctx, h, who, id[0], password[0])
	if err == nil && conn != nil && s.idText == id[0] && s.password == password[0] {
		conn.recent.Store(s)
	}
	return s, err
}

// parseSession reads a session's id and checks its password, which tells whether somebody has been given the session.
func parseSession(idText, password string) (zk.SessionID, error) {
	n, err := strconv.ParseInt(idText, 0, 64)
	if err != nil {
		u, err := strconv.ParseUint(idText, 0, 64) // ids whose top bit is set
		if err != nil {
			return 0, invalid("", "%s: %.40q is not a number", metadataSession, idText)
		}
		n = int64(u)
	}
	given, err := hex.DecodeString(password)
	if err != nil {
		return 0, invalid("", "%s is not hexadecimal", metadataPassword)
	}
	right := zk.SessionID(n).Password()
	if subtle.ConstantTimeCompare(given, right[:]) != 1 || n == 0 {
		return 0, fault(codes.Unauthenticated, reasonOf(zk.SessionExpired), "there is no such session, or its password is another")
	}
	return zk.SessionID(n), nil
}

// attached is the session of a name, which is attached to this door unless it is already.
func (d *door) attached(ctx context.Context, h request.Handler, who *caller, idText, password string) (*session, error) {
	id, err := parseSession(idText, password)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	s := d.sessions[id]
	d.mu.Unlock()
	if s == nil || s.line.gone() {
		timeout, err := d.timeoutOf(ctx, id)
		if err != nil {
			return nil, err
		}
		hello := zk.ConnectRequest{TimeoutMS: timeout, Session: id}
		right := id.Password()
		hello.Password = right[:]
		d.mu.Lock()
		if s = d.sessions[id]; s == nil || s.line.gone() {
			var ids []zk.ID
			if s != nil && s.line.why == request.CloseNotServing {
				ids = s.identities() // it has not been elsewhere
			}
			s = &session{id: id, idText: idText, password: password, addr: who.addr, ids: ids}
			if err = d.admit(s); err == nil {
				s.line = openLine(h, origin(who), &hello)
			}
		}
		d.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	if _, err := s.line.session(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// sweepMin is how many sessions are attached at least before those that have ended are looked for.
const sweepMin = 1024

// admit adds a session to those attached. Those that have ended are dropped whenever their number has doubled. d.mu is held.
func (d *door) admit(s *session) error {
	if len(d.sessions) >= max(sweepMin, d.sweepAt) {
		for id, other := range d.sessions {
			if other.line.gone() {
				delete(d.sessions, id)
			}
		}
		d.sweepAt = min(2*len(d.sessions), sessionsMax)
	}
	if len(d.sessions) >= sessionsMax {
		return fault(codes.ResourceExhausted, "TOO_MANY", "this server has as many sessions attached through gRPC as it may have", retrySoon)
	}
	d.sessions[s.id] = s
	return nil
}

// adopt makes a session of a line that has opened a new one.
func (d *door) adopt(l *line, r *zk.ConnectResponse, addr string) (*session, error) {
	s := &session{
		id: r.Session, idText: strconv.FormatInt(int64(r.Session), 10), password: hex.EncodeToString(r.Password[:]), addr: addr, line: l,
	}
	s.keys.known = true
	d.mu.Lock()
	defer d.mu.Unlock()
	return s, d.admit(s)
}

// addresses are those of who has opened or taken up the sessions that are attached.
func (d *door) addresses() map[zk.SessionID]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := make(map[zk.SessionID]string, len(d.sessions))
	for id, s := range d.sessions {
		if !s.line.gone() {
			at[id] = s.addr
		}
	}
	return at
}

// origin is who opens a client of the server.
func origin(who *caller) request.Origin {
	return request.Origin{Addr: who.addr, IP: who.ip, Secure: who.secure}
}

// timeoutOf is the timeout of a session, which taking it up must not change. A session that was opened elsewhere a moment ago may
// not have come here yet: the server then catches up.
func (d *door) timeoutOf(ctx context.Context, id zk.SessionID) (int32, error) {
	if d.opt.SessionTimeout == nil {
		return ownTimeoutMS, nil
	}
	for try := 0; ; try++ {
		timeout, ok := d.opt.SessionTimeout(ctx, id)
		switch {
		case ok:
			return timeout, nil
		case ctx.Err() != nil:
			return 0, contextStatus(ctx)
		case try > 0:
			return 0, refusal(zk.SessionExpired, "", 0)
		}
		if _, err := d.barriers.pass(ctx, levelSynced); err != nil {
			return 0, err
		}
	}
}
