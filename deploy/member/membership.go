package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// membership is what join and leave make true.
type membership struct {
	servers  int // the voters are 1 to servers
	member   naming
	ensemble string
	password string
	out      io.Writer

	said change // last printed
}

// change is one reconfiguration; the zero value means that there is nothing to do.
type change struct{ joining, leaving string }

// until reconfigures until next finds nothing to do. What may pass is tried again: another reconfiguration under way, new
// members that have not caught up yet, a leader that went.
func (m *membership) until(ctx context.Context, next func(*quorum.Config) (change, error)) error {
	said := ""
	for {
		done, err := m.step(ctx, next)
		if done {
			return nil
		}
		if errors.Is(err, errRefused) {
			return err
		}
		if err != nil && err.Error() != said {
			said = err.Error()
			fmt.Fprintln(m.out, "trying again:", said)
		}
		if err != nil && !pause(ctx, askEvery) {
			return fmt.Errorf("gave up: %w", err)
		}
	}
}

// step is one look at the members and at most one change.
func (m *membership) step(ctx context.Context, next func(*quorum.Config) (change, error)) (done bool, err error) {
	s, err := open(ctx, m.ensemble, m.password)
	if err != nil {
		return false, refused(err)
	}
	defer s.close()
	config, err := s.config()
	if err != nil {
		return false, err
	}
	want, err := next(config)
	if err != nil {
		return false, err
	}
	if want == (change{}) {
		fmt.Fprintf(m.out, "the members are %s\n", config.IDs())
		return true, nil
	}
	if want != m.said { // else it is tried again
		m.said = want
		fmt.Fprintf(m.out, "the members are %s; joining %q, leaving %q\n", config.IDs(), want.joining, want.leaving)
	}
	if err := s.reconfig(want.joining, want.leaving, config.Version); err != nil {
		return false, refused(fmt.Errorf("reconfiguration: %w", err))
	}
	return false, nil
}

// errRefused wraps what no repetition changes.
var errRefused = errors.New("refused")

// refusals are outcomes that no repetition changes, and what to do.
var refusals = map[zk.Code]string{
	zk.NoAuth:           "the servers' superDigest is not that of the password in " + passwordVariable,
	zk.AuthFailed:       "the servers have no scheme digest, set DigestAuthenticationProvider.enabled=true",
	zk.ReconfigDisabled: "set reconfigEnabled=true on the servers",
	zk.BadArguments:     "the log of the leader says why",
	zk.Unimplemented:    "the servers do not change their members at run time",
}

// refused adds what to do to an outcome that no repetition changes. Any other error is tried again.
func refused(err error) error {
	if code, ok := errors.AsType[codeError](err); ok {
		if fix, ok := refusals[zk.Code(code)]; ok {
			return fmt.Errorf("%w: %w: %s", errRefused, err, fix)
		}
	}
	return err
}

// joining adds the first of the wanted voters that is not one. One at a time: each has a quorum of the others to take the
// state from.
func (m *membership) joining(config *quorum.Config) (change, error) {
	for id := range quorum.ServerID(m.servers) {
		if config.IsVoter(id + 1) {
			continue
		}
		s, err := m.member.server(id+1, false)
		if err != nil {
			return change{}, err
		}
		return change{joining: fmt.Sprintf("server.%d=%s", s.ID, s)}, nil
	}
	return change{}, nil
}

// leaving removes all that are not wanted, at once.
func (m *membership) leaving(config *quorum.Config) (change, error) {
	var ids []string
	for _, s := range config.Servers {
		if s.ID > quorum.ServerID(m.servers) {
			ids = append(ids, strconv.FormatInt(int64(s.ID), 10))
		}
	}
	stay := 0
	for _, id := range config.Voters() {
		if id <= quorum.ServerID(m.servers) {
			stay++
		}
	}
	if stay == 0 {
		return change{}, fmt.Errorf("%w: of members %s none of the first %d votes", errRefused, config.IDs(), m.servers)
	}
	return change{leaving: strings.Join(ids, ",")}, nil
}
