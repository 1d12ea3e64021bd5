package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// overlooked tells an operator of configurations of the ensemble that this server hears of and, without reconfigEnabled, does not take
// over: it goes on with the members of its files, and may count a quorum that is none. So does it, or another, where their files differ.
//
// ZooKeeper compatibility: a server without reconfigEnabled keeps its members, and says nothing.
type overlooked struct {
	log    zerolog.Logger
	warned *warned
	own    *quorum.Config // nil with reconfigEnabled: nothing is overlooked

	mu    sync.Mutex                 // guards lists
	lists map[quorum.ServerID]string // what members' files say of quorums, where that is not what this server's say
}

// received looks at what came from another server.
func (o *overlooked) received(messages []consensus.Message) {
	if o.own == nil {
		return
	}
	for i := range messages {
		switch m := &messages[i]; m.Kind {
		case consensus.MsgNewLeader:
			o.text(m.Config)
		case consensus.MsgCommitAndActivate, consensus.MsgInformAndActivate:
			o.version(m.Zxid)
		case consensus.MsgFollowerInfo, consensus.MsgObserverInfo:
			if _, ok := o.own.Server(m.Server); ok {
				o.version(m.ConfigVersion)
			}
		}
	}
}

// notified looks at the configuration in a notification, if a member sent it.
func (o *overlooked) notified(from quorum.ServerID, text string) {
	if o.own == nil {
		return
	}
	if _, ok := o.own.Server(from); ok {
		o.text(text)
		o.listed(from, text)
	}
}

// listed looks at what the files of a member list, which it says when it looks for a leader, or is asked by one who does. Only what makes a quorum
// counts: members may have several names.
func (o *overlooked) listed(from quorum.ServerID, text string) {
	c, err := quorum.ParseConfig(text)
	if err != nil || c.Version.Counter() != 0 {
		return
	}
	theirs := quorumOf(c)
	if theirs == quorumOf(o.own) {
		theirs = ""
	}
	o.list(from, theirs)
}

// connected forgets what the files of a member listed: it may have been restarted with others.
func (o *overlooked) connected(to quorum.ServerID) {
	if o.own != nil {
		o.list(to, "")
	}
}

// list notes what a member counts quorums of, "" if that is the same as here or not known, and warns as long as there is a difference.
func (o *overlooked) list(of quorum.ServerID, theirs string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.lists, of)
	if theirs != "" {
		if o.lists == nil {
			o.lists = map[quorum.ServerID]string{}
		}
		o.lists[of] = theirs
	}
	if len(o.lists) == 0 {
		o.warned.clear(aboutLists)
		return
	}
	warning := "quorums are counted of servers " + quorumOf(o.own) + " here"
	for _, id := range slices.Sorted(maps.Keys(o.lists)) {
		warning += fmt.Sprintf(", of %s by server %d", o.lists[id], id)
	}
	warning += ": two leaders could be elected; list the same servers in the configurations of all, and restart those that were changed"
	if o.warned.set(aboutLists, warning) {
		o.log.Warn().Msg(warning)
	}
}

// quorumOf is what a configuration makes quorums of: "1,2,3", and groups and weights if there are any.
func quorumOf(c *quorum.Config) string {
	var b strings.Builder
	for i, id := range c.Voters() {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, id)
	}
	for _, g := range c.Groups {
		fmt.Fprintf(&b, " group %d %v", g.ID, g.Servers)
	}
	for _, id := range slices.Sorted(maps.Keys(c.Weights)) {
		fmt.Fprintf(&b, " weight of %d %d", id, c.Weights[id])
	}
	return b.String()
}

func (o *overlooked) text(text string) {
	if c, err := quorum.ParseConfig(text); err == nil && !c.SameMembers(o.own) {
		o.version(c.Version)
	}
}

// version is that of a configuration which others have in force. One that no txn has set lists what their files list.
func (o *overlooked) version(v zk.Zxid) {
	if v <= o.own.Version || v.Counter() == 0 {
		return
	}
	text := fmt.Sprintf("the ensemble has changed to configuration %x, and this server keeps servers %s, because it has reconfigEnabled=false; "+
		"set reconfigEnabled=true as on the others and restart it", uint64(v), o.own.IDs())
	if o.warned.set(aboutReconfig, text) {
		o.log.Warn().Msg(text)
	}
}
