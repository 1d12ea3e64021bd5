package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// TestAConfigurationThatIsNotTakenOverIsWarnedOf, once for each, by whatever it is heard of first.
func TestAConfigurationThatIsNotTakenOverIsWarnedOf(t *testing.T) {
	const (
		listed  = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant"
		changed = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nversion=100000005"
		warning = "the ensemble has changed to configuration 100000005, and this server keeps servers 1,2,3, because it has reconfigEnabled=false; " +
			"set reconfigEnabled=true as on the others and restart it"
	)
	own, err := quorum.ParseConfig(listed)
	if err != nil {
		t.Fatal(err)
	}
	message := func(m consensus.Message) func(*overlooked) {
		return func(o *overlooked) { o.received([]consensus.Message{{Kind: consensus.MsgPing}, m}) }
	}
	for name, row := range map[string]struct {
		hears func(*overlooked)
		warns bool
	}{
		"of its leader when it joins":                    {message(consensus.Message{Kind: consensus.MsgNewLeader, Config: changed}), true},
		"of the change itself":                           {message(consensus.Message{Kind: consensus.MsgCommitAndActivate, Zxid: 0x100000005}), true},
		"of the change, as an observer":                  {message(consensus.Message{Kind: consensus.MsgInformAndActivate, Zxid: 0x100000005}), true},
		"of who follows it":                              {message(consensus.Message{Kind: consensus.MsgFollowerInfo, Server: 2, ConfigVersion: 0x100000005}), true},
		"of a member that votes":                         {func(o *overlooked) { o.notified(2, changed) }, true},
		"of a stranger that votes":                       {func(o *overlooked) { o.notified(4, changed) }, false},
		"of a stranger that would follow":                {message(consensus.Message{Kind: consensus.MsgFollowerInfo, Server: 4, ConfigVersion: 0x100000005}), false},
		"of the list of the files, established":          {message(consensus.Message{Kind: consensus.MsgNewLeader, Config: listed + "\nversion=100000000"}), false},
		"of the same members again":                      {message(consensus.Message{Kind: consensus.MsgNewLeader, Config: listed + "\nversion=100000005"}), false},
		"of none":                                        {message(consensus.Message{Kind: consensus.MsgNewLeader}), false},
		"of who follows it with the list of the files":   {message(consensus.Message{Kind: consensus.MsgFollowerInfo, Server: 2}), false},
		"of who follows it with that list, established":  {message(consensus.Message{Kind: consensus.MsgFollowerInfo, Server: 2, ConfigVersion: 0x100000000}), false},
		"of nonsense in a notification":                  {func(o *overlooked) { o.notified(2, "server.1=nonsense") }, false},
		"of a transaction that changes no configuration": {message(consensus.Message{Kind: consensus.MsgCommit, Zxid: zk.Zxid(0x100000005)}), false},
	} {
		t.Run(name, func(t *testing.T) {
			log := newJournal()
			s := &server{}
			enabled := overlooked{log: zerolog.New(log), warned: &s.warned}
			if row.hears(&enabled); len(s.warned.list()) > 0 {
				t.Errorf("with reconfigEnabled: %q", s.warned.list())
			}
			o := overlooked{log: zerolog.New(log), warned: &s.warned, own: own}
			row.hears(&o)
			row.hears(&o)
			var want []string
			if row.warns {
				want = []string{warning}
			}
			if lines, _ := log.with("has changed"); !slices.Equal(s.warned.list(), want) || len(lines) != len(want) {
				t.Errorf("warns %q, log %s", s.warned.list(), strings.Join(lines, ""))
			}
		})
	}
}

// TestFilesThatDifferAreWarnedOf as long as they do: each server counts a quorum of its own.
func TestFilesThatDifferAreWarnedOf(t *testing.T) {
	const five = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\nserver.4=d:1:2:participant\nserver.5=e:1:2:participant\n"
	const three = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\n"
	own, err := quorum.ParseConfig(five + "version=0")
	if err != nil {
		t.Fatal(err)
	}
	log := newJournal()
	s := &server{}
	o := overlooked{log: zerolog.New(log), warned: &s.warned, own: own}
	const begin, end = "quorums are counted of servers 1,2,3,4,5 here", ": two leaders could be elected; list the same servers in the configurations of all, and restart those that were changed"
	for _, step := range []struct {
		from       quorum.ServerID
		text, want string
	}{
		{2, five + "version=0", ""},
		{3, strings.ReplaceAll(five, "=a:", "=0.0.0.0:") + "server.6=f:1:2:observer\nversion=300000000", ""}, // other names, and an observer
		{4, five + "group.1=1:2:3:4:5\nweight.1=2\nversion=0", begin + ", of 1,2,3,4,5 group 1 [1 2 3 4 5] weight of 1 2 weight of 2 1 weight of 3 1 weight of 4 1 weight of 5 1 by server 4" + end},
		{4, five + "version=0", ""},
		{2, three + "version=100000000", begin + ", of 1,2,3 by server 2" + end},
		{2, three + "version=0", begin + ", of 1,2,3 by server 2" + end},
		{1, three + "version=0", begin + ", of 1,2,3 by server 1, of 1,2,3 by server 2" + end},
		{7, three + "version=0", begin + ", of 1,2,3 by server 1, of 1,2,3 by server 2" + end}, // a stranger
		{2, five + "version=0", begin + ", of 1,2,3 by server 1" + end},
		{1, five + "version=0", ""},
	} {
		o.notified(step.from, step.text)
		var want []string
		if step.want != "" {
			want = []string{step.want}
		}
		if got := s.warned.list(); !slices.Equal(got, want) {
			t.Errorf("server %d says %q: warns %q, want %q", step.from, step.text, got, want)
		}
	}
	o.notified(2, three+"version=0")
	o.connected(3)
	if got := s.warned.list(); len(got) != 1 {
		t.Errorf("once another server is connected: warns %q", got)
	}
	o.connected(2)
	if got := s.warned.list(); len(got) > 0 {
		t.Errorf("once it is connected anew: warns %q", got)
	}
	if lines, _ := log.with("quorums are counted"); len(lines) != 5 {
		t.Errorf("log %s", strings.Join(lines, ""))
	}
}
