package consensus_test

import (
	"testing"

	"paddock/consensus"
	"paddock/internal/zk"
)

func TestMessagesPrintWhatMatters(t *testing.T) {
	request := &consensus.ForwardedRequest{Session: 0x100, Cxid: 3, Op: zk.OpCreate, Body: []byte("abc")}
	for _, c := range []struct {
		m    consensus.Message
		want string
	}{
		{consensus.Message{Kind: consensus.MsgRequest, Zxid: consensus.NoZxid, Request: request}, "request create session=0x100 cxid=3 (3 bytes)"},
		{consensus.Message{Kind: consensus.MsgRequest}, "request"},
		{consensus.Message{Kind: consensus.MsgProposal, Zxid: 0x100000001, Payload: []byte("abcd")}, "proposal 0x100000001 (4 bytes)"},
		{consensus.Message{Kind: consensus.MsgInform, Zxid: 2}, "inform 0x2 (0 bytes)"},
		{consensus.Message{Kind: consensus.MsgInformAndActivate, Zxid: 2, Server: 3}, "inform-and-activate 0x2 leader=3 (0 bytes)"},
		{consensus.Message{Kind: consensus.MsgCommitAndActivate, Zxid: 2, Server: 3}, "commit-and-activate 0x2 leader=3"},
		{consensus.Message{Kind: consensus.MsgPing, Zxid: 5}, "ping 0x5"},
		{consensus.Message{Kind: consensus.MsgPing, Zxid: 5, Touched: []consensus.Touch{}}, "ping 0x5 touched=0"},
		{consensus.Message{Kind: consensus.MsgRevalidate, Session: 1, TimeoutMS: 4000}, "revalidate session=0x1 timeout=4000"},
		{consensus.Message{Kind: consensus.MsgRevalidate, Session: 1, Answer: true, Valid: true}, "revalidate session=0x1 valid=true"},
		{consensus.Message{Kind: consensus.MsgFollowerInfo, Zxid: 2 << 32, Server: 3}, "followerinfo from 3 accepted=2 config=0x0"},
		{consensus.Message{Kind: consensus.MsgObserverInfo, Zxid: 2 << 32, Server: 3, ConfigVersion: 16}, "observerinfo from 3 accepted=2 config=0x10"},
		{consensus.Message{Kind: consensus.MsgLeaderInfo, Zxid: 3 << 32}, "leaderinfo epoch=3"},
		{consensus.Message{Kind: consensus.MsgNewLeader, Zxid: 3 << 32}, "newleader epoch=3"},
		{consensus.Message{Kind: consensus.MsgAckEpoch, Zxid: 7, Epoch: consensus.NoEpoch}, "ackepoch current=-1 last=0x7"},
		{consensus.Message{Kind: consensus.MsgUpToDate, Zxid: consensus.NoZxid}, "uptodate"},
		{consensus.Message{Kind: consensus.MsgTrunc, Zxid: 9}, "trunc 0x9"},
		{consensus.Message{Kind: 77, Zxid: 1, Payload: []byte{1}}, "message(77) 0x1 (1 bytes)"},
	} {
		if got := c.m.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
