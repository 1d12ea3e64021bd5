package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/config"
	"paddock/server/juteapi"
	"paddock/storage/tree"
)

// configuration follows the configuration of the ensemble: it keeps the files, and tells the transport and the client port.
// Its methods are called by the owner, save openedAt.
type configuration struct {
	*server
	files     config.Files // Static is "" if there is no file to keep
	peers     *ensemble
	committed *quorum.Config
	seen      *quorum.Config // proposed and newer than committed, or nil
	written   bool           // the static file names a dynamic one

	mu     sync.Mutex // guards what follows
	client quorum.HostPort
	secure quorum.HostPort
	live   *live // once the client port is open
}

// newConfiguration begins with the committed configuration that the files say, and the newer one of the history, or nil.
func (s *server) newConfiguration(peers *ensemble, seen *quorum.Config) *configuration {
	c := s.cfg
	k := &configuration{
		server: s, files: config.Files{Static: c.File}, peers: peers, committed: c.Members.Membership, seen: seen, written: c.Members.DynamicFile != "",
		client: quorum.HostPort{Host: c.Client.Address, Port: c.Client.Port},
		secure: quorum.HostPort{Host: c.Client.Secure.Address, Port: c.Client.Secure.Port},
	}
	peers.transport.SetConfig(k.committed, k.seen)
	return k
}

// changed takes a Configured or SeenConfig of consensus. The files are written before it returns, and so before anything is
// acknowledged that rests on the configuration: reconfigurations are rare enough for the owner to wait.
func (k *configuration) changed(a *consensus.Action) {
	if a.Kind == consensus.SeenConfig {
		k.seen = a.Config
		k.keep(k.writeNext)
	} else {
		k.committed = a.Config
		if k.seen != nil && k.seen.Version <= a.Config.Version {
			k.seen = nil
		}
		k.keep(k.writeCommitted)
		k.log.Info().Stringer("version", a.Config.Version).Str("servers", a.Config.IDs()).Msg("configuration of the ensemble in force")
	}
	k.peers.transport.SetConfig(k.committed, k.seen)
	k.peers.members.config.Store(k.committed)
	if own, ok := k.committed.Server(quorum.ServerID(k.cfg.ServerID)); ok && a.Kind == consensus.Configured {
		k.mu.Lock()
		if own.Client.Port != 0 {
			k.client = own.Client
		}
		if own.Secure.Port != 0 {
			k.secure = own.Secure
		}
		k.mu.Unlock()
		k.move()
	}
}

// keep writes files, if there are any to be kept.
func (k *configuration) keep(write func() error) {
	if k.files.Static == "" {
		return
	}
	if err := write(); err != nil {
		e := k.log.Error().Err(err)
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			e = e.Str("remedy", "keep zoo.cfg in a directory that the server may write to")
		}
		e.Msg("the configuration is in force, but a restart will not know it")
	}
}

// established tells a configuration that is no more than the first one under the version of the epoch in which it was
// established. The static file says the same, and need not be rewritten for it.
func (k *configuration) established(c *quorum.Config) bool {
	return !k.written && c.Version.Counter() == 0 && c.SameMembers(k.cfg.Members.Membership)
}

func (k *configuration) writeNext() error {
	if k.established(k.seen) {
		return nil
	}
	return k.files.WriteNext(k.seen)
}

func (k *configuration) writeCommitted() error {
	if k.established(k.committed) {
		return nil
	}
	if !k.written {
		if err := k.files.WriteBackup(); err != nil {
			return err
		}
	}
	if err := k.files.WriteCommitted(k.committed, quorum.ServerID(k.cfg.ServerID)); err != nil {
		return err
	}
	k.written = true
	if k.seen != nil {
		return nil
	}
	return k.files.RemoveNext()
}

// openedAt tells that clients are served from now on.
func (k *configuration) openedAt(l *live) {
	k.mu.Lock()
	k.live = l
	k.mu.Unlock()
	k.move()
}

// move has the client ports where the configuration says.
func (k *configuration) move() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.live == nil {
		return
	}
	k.movePort(aboutMove, k.live.client, "client_port", k.client)
	k.movePort(aboutMoveSecure, k.live.secure, "secure_client_port", k.secure)
}

// moveAgainEvery is how often a client port is tried that could not be moved.
const moveAgainEvery = time.Second

// moveAgain tries again what could not be moved, until ctx ends.
func (k *configuration) moveAgain(ctx context.Context) {
	ticker := time.NewTicker(moveAgainEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if k.warned.has(aboutMove) || k.warned.has(aboutMoveSecure) {
				k.move()
			}
		}
	}
}

// movePort leaves a port that cannot be moved where it is. The caller holds the lock.
func (k *configuration) movePort(a about, port *juteapi.Server, key string, to quorum.HostPort) {
	if port == nil || to.Port == 0 || sameEndpoint(port.Addr(), to) {
		k.warned.clear(a)
		return
	}
	from := port.Addr().String()
	if err := port.Move(net.JoinHostPort(to.Host, strconv.Itoa(to.Port))); err != nil {
		text := fmt.Sprintf("the client port stays at %s, as it cannot be moved to where the configuration says: %v; free that address, or reconfigure again", from, err)
		if k.warned.set(a, text) {
			k.log.Error().Msg(text)
		}
		return
	}
	k.warned.clear(a)
	k.log.Info().Str("from", from).Stringer(key, port.Addr()).Msg("client port moved")
}

// sameEndpoint tells whether a bound address is the one that is wanted. A name is looked up.
func sameEndpoint(bound net.Addr, want quorum.HostPort) bool {
	a, ok := bound.(*net.TCPAddr)
	if !ok || a.Port != want.Port {
		return false
	}
	if want.Host == "" || want.Host == a.IP.String() {
		return true
	}
	b, err := net.ResolveTCPAddr("tcp", want.String())
	return err == nil && (a.IP.Equal(b.IP) || a.IP.IsUnspecified() && b.IP.IsUnspecified())
}

// checkMembers compares the members that the files list with the configuration that the data hold.
func (s *server) checkMembers(t *tree.Tree) error {
	ref, ok := t.Find(zk.ConfigPath)
	if !ok {
		return nil
	}
	known, err := quorum.ParseConfig(string(t.Data(ref)))
	if err != nil {
		return nil // there is none before an ensemble has been led
	}
	n, err := s.cfg.CheckDynamic(known)
	if err != nil {
		return err
	}
	if n == nil && !s.cfg.Distributed() && len(known.Voters()) > 1 {
		n = &config.Notice{Level: config.Warn, Message: fmt.Sprintf("these data are of the ensemble of servers %s, and this server serves them alone", known.IDs()),
			Fix: "if that is not meant, stop it at once and list the servers in its configuration"}
	}
	if n != nil && s.warned.set(aboutMembers, n.String()) {
		s.log.Warn().Msg(n.String())
	}
	return nil
}

// warnUnwritable says at the start what a reconfiguration would say later: that nobody may write where zoo.cfg is.
func (s *server) warnUnwritable() {
	if !s.cfg.Members.ReconfigEnabled || s.cfg.File == "" {
		return
	}
	probe := s.cfg.File + ".tmp"
	f, err := os.OpenFile(probe, os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(probe))
	}
	if err != nil {
		s.log.Warn().Err(err).Str("remedy", "keep zoo.cfg in a directory that the server may write to, or set reconfigEnabled=false").
			Msg("reconfigurations will not be known after a restart")
	}
}
