package server

import (
	"fmt"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// overlooked tells an operator of configurations of the ensemble that this server hears of and, without reconfigEnabled, does not take
// over: it goes on with the members of its files, and may count a quorum that is none.
//
// ZooKeeper compatibility: a server without reconfigEnabled keeps its members, and says nothing.
type overlooked struct {
	log    zerolog.Logger
	warned *warned
	own    *quorum.Config // nil with reconfigEnabled: nothing is overlooked
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
	}
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
