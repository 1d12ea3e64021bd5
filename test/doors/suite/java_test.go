//go:build doors

package suite

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/test/doors/rig"
)

// notUnderJava are steps of the tour that a ZooKeeper leads to other answers, or to different ones from time to time.
var notUnderJava = []string{
	"who may only read does not write", "a transaction judges access too", // it judges by the list before a setACL until it has applied that itself, after its followers
	"another knows that it is there", // 3.8 does not judge exists
}

// soon waits until the leader, which tells its followers before it applies itself, answers a step as it should.
func soon(t *testing.T, leader caller, s step, what string, holds func(answer) bool) {
	t.Helper()
	var got answer
	defer func() {
		if t.Failed() {
			t.Logf("the leader has %v", got)
		}
	}()
	until(t, what, func() bool {
		var err error
		got, err = leader.ask(&s)
		return err == nil && holds(got)
	})
}

// A follower of a ZooKeeper answers through all doors what that ZooKeeper answers its own clients.
func TestAFollowerOfAZooKeeperAnswersAsItDoes(t *testing.T) {
	steps := slices.DeleteFunc(slices.Clone(tour), func(s step) bool { return slices.Contains(notUnderJava, s.name) })
	leader, _ := rig.UnderJava(t)
	first := relatively(t, juteDoor{}, leader, steps)
	for _, name := range names() {
		_, followers := rig.UnderJava(t)
		got := relatively(t, doors[name], followers[0], steps)
		for i := range got {
			if got[i] != first[i] {
				t.Errorf("a follower answers %s with\n  %s\nand the ZooKeeper that leads it\n  %s", name, got[i], first[i])
			}
		}
	}
}

// What ZooKeeper's protocol does not have is there with a ZooKeeper as the leader too, or is refused with what to do about it.
func TestWhatAZooKeeperThatLeadsNeverHadWorksAtItsFollowers(t *testing.T) {
	leader, followers := rig.UnderJava(t)
	atLeader := juteDoor{}.open(t, leader, 30*time.Second)
	for what, f := range map[string]func(t *testing.T, root string, at []*serviceCaller, leader caller){
		"reads are as fresh as is asked":          freshUnderJava,
		"a write with a key is done once":         onceUnderJava,
		"guards that ZooKeeper has are judged":    guardsUnderJava,
		"guards that ZooKeeper lacks are refused": otherGuardsUnderJava,
	} {
		t.Run(what, func(t *testing.T) {
			first := openSession(t, dialGRPC(t, followers[0]), 30*time.Second)
			second := &serviceCaller{dialGRPC(t, followers[1]), first.ctx, first.session}
			path := "/" + strings.ReplaceAll(what, " ", "-")
			must(t, atLeader, step{op: "create", path: path})
			f(t, path, []*serviceCaller{first, second}, atLeader)
		})
	}
	for i, name := range []string{"gRPC", "REST"} {
		t.Run("who has no session writes through "+name, func(t *testing.T) {
			zxid := must(t, bareDoor{name}.open(t, followers[i], 0), step{op: "create", path: "/" + name, data: "x"}).Zxid
			soon(t, atLeader, step{op: "get", path: "/" + name}, "it is there", func(a answer) bool { return a.Data == "x" && uint64(a.Stat.Czxid) == zxid })
		})
	}
	t.Run("a lock is handed over", func(t *testing.T) { lockUnderJava(t, followers) })
}

// Sessions that only their server knows become ones of the ensemble with their first ephemeral, whoever leads.
func TestLocalSessionsAreUpgradedUnderAZooKeeper(t *testing.T) {
	leader, followers := rig.UnderJava(t, "localSessionsEnabled=true", "localSessionsUpgradingEnabled=true")
	atLeader := juteDoor{}.open(t, leader, 30*time.Second)
	for i, name := range names() {
		at, path := followers[i%2], "/"+name
		c := doors[name].open(t, at, 30*time.Second)
		must(t, c, step{op: "create", path: path})
		must(t, c, step{op: "create", path: path + "/e", mode: zk.Ephemeral})
		soon(t, atLeader, step{op: "get", path: path + "/e"}, "the ephemeral is its session's", func(a answer) bool { return a.Stat.EphemeralOwner == c.id() })
		c.close(t)
		soon(t, atLeader, step{op: "children", path: path}, "the ephemeral is gone with its session", func(a answer) bool {
			return a.Reason == "" && len(a.Children) == 0
		})
		must(t, bareOr(name).open(t, at, 30*time.Second), step{op: "set", path: path, data: "by another", any: true})
	}
}

// bareOr is a door without a session, where it can do without.
func bareOr(name string) door {
	if name == "jute" {
		return juteDoor{}
	}
	return bareDoor{name}
}

// freshUnderJava reads at a follower what the leader has just answered.
func freshUnderJava(t *testing.T, root string, at []*serviceCaller, leader caller) {
	for n := range 20 {
		written := must(t, leader, step{op: "set", path: root, data: strconv.Itoa(n), any: true})
		for _, read := range []*paddockv1.ReadOptions{
			{Level: paddockv1.ReadLevel_READ_LEVEL_LINEARIZABLE}, {Level: paddockv1.ReadLevel_READ_LEVEL_SYNCED}, {MinZxid: uint64(written.Stat.Mzxid)},
		} {
			got, err := at[n%2].Get(t.Context(), &paddockv1.GetRequest{Path: root, Read: read})
			if err != nil || string(got.GetData()) != strconv.Itoa(n) {
				t.Fatalf("%v is answered %q, %v; the leader has %d", read, got.GetData(), err, n)
			}
		}
	}
}

// onceUnderJava repeats writes, at the other follower and after others.
func onceUnderJava(t *testing.T, root string, at []*serviceCaller, leader caller) {
	ctx := at[0].ctx
	key := func(n uint64) *paddockv1.WriteOptions { return &paddockv1.WriteOptions{IdempotencyKey: n} }
	var created [2]*paddockv1.CreateResponse
	var set [2]*paddockv1.SetResponse
	var done [2]*paddockv1.TransactResponse
	for i, c := range at {
		var errs [3]error
		created[i], errs[0] = c.Create(ctx, &paddockv1.CreateRequest{Path: root + "/n-", Mode: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL, Options: key(1)})
		set[i], errs[1] = c.Set(ctx, &paddockv1.SetRequest{Path: root, Data: []byte("x"), Options: key(2)})
		done[i], errs[2] = c.Transact(ctx, &paddockv1.TransactRequest{
			Guards:  []*paddockv1.Guard{{Path: root, Condition: &paddockv1.Guard_Version{Version: 1}}},
			Then:    []*paddockv1.Operation{{Operation: &paddockv1.Operation_Create{Create: &paddockv1.CreateRequest{Path: root + "/t-", Mode: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL}}}},
			Options: key(3),
		})
		for n, err := range errs {
			if err != nil {
				t.Fatalf("write %d at follower %d: %v", n, i, err)
			}
		}
	}
	if created[0].GetPath() != created[1].GetPath() || created[0].GetZxid() != created[1].GetZxid() || set[0].GetZxid() != set[1].GetZxid() ||
		!done[1].GetHeld() || done[0].GetResults()[0].GetPath() != done[1].GetResults()[0].GetPath() || done[0].GetZxid() != done[1].GetZxid() {
		t.Errorf("the first answers are %v, %v, %v and the second %v, %v, %v", created[0], set[0], done[0], created[1], set[1], done[1])
	}
	soon(t, leader, step{op: "children", path: root}, "two znodes were made", func(a answer) bool { return len(a.Children) == 2 })
	// Only servers take records away, which ZooKeeper believes them.
	for n := range uint64(keysKept) {
		if _, err := at[1].Set(ctx, &paddockv1.SetRequest{Path: root, Options: key(100 + n)}); err != nil {
			t.Fatal(err)
		}
	}
	first := fmt.Sprintf("%016x-", uint64(at[0].id()))
	soon(t, leader, step{op: "children", path: onceAt}, "the oldest records go", func(a answer) bool {
		return len(a.Children) == keysKept && !slices.Contains(a.Children, first+"1")
	})
	for _, path := range []string{onceAt + "/" + first + "100", onceAt} {
		if a, err := leader.ask(&step{op: "delete", path: path, any: true}); err != nil || a.Reason != "NOAUTH" {
			t.Errorf("a client of the ZooKeeper deletes %s: %v %v", path, a, err)
		}
	}
}

// keysKept is how many idempotency keys of a session are remembered; onceAt is where.
const (
	keysKept = 64
	onceAt   = "/zookeeper/paddock/once"
)

// guardsUnderJava are transactions that a plain multi can express.
func guardsUnderJava(t *testing.T, root string, at []*serviceCaller, leader caller) {
	version := func(n int32) *paddockv1.Guard {
		return &paddockv1.Guard{Path: root, Condition: &paddockv1.Guard_Version{Version: n}}
	}
	there := &paddockv1.Guard{Path: root, Condition: &paddockv1.Guard_Exists{Exists: true}}
	for i, guards := range [][]*paddockv1.Guard{{there}, {version(1)}, {there, version(2)}, {version(9)}, {there, version(1)}} {
		holds := i < 3
		data := fmt.Sprint(i)
		got, err := at[0].Transact(at[0].ctx, &paddockv1.TransactRequest{Guards: guards, Then: []*paddockv1.Operation{
			{Operation: &paddockv1.Operation_Set{Set: &paddockv1.SetRequest{Path: root, Data: []byte(data)}}},
		}})
		if err != nil || got.GetHeld() != holds {
			t.Fatalf("guards %v: %v, %v; want that they hold: %v", guards, got, err, holds)
		}
		want := "2"
		if holds {
			want = data
		}
		soon(t, leader, step{op: "get", path: root}, "data is "+want, func(a answer) bool { return a.Data == want })
	}
}

// otherGuardsUnderJava are those that no multi can express.
func otherGuardsUnderJava(t *testing.T, root string, at []*serviceCaller, _ caller) {
	set := []*paddockv1.Operation{{Operation: &paddockv1.Operation_Set{Set: &paddockv1.SetRequest{Path: root, Data: []byte("x")}}}}
	for name, in := range map[string]*paddockv1.TransactRequest{
		"data":   {Guards: []*paddockv1.Guard{{Path: root, Condition: &paddockv1.Guard_Data{Data: nil}}}, Then: set},
		"mzxid":  {Guards: []*paddockv1.Guard{{Path: root, Condition: &paddockv1.Guard_Mzxid{Mzxid: 1}}}, Then: set},
		"absent": {Guards: []*paddockv1.Guard{{Path: root + "/none", Condition: &paddockv1.Guard_Exists{}}}, Then: set},
		"else":   {Guards: []*paddockv1.Guard{{Path: root, Condition: &paddockv1.Guard_Exists{Exists: true}}}, Then: set, Otherwise: set},
	} {
		_, err := at[0].Transact(at[0].ctx, in)
		if err == nil || reasonIn(err) != "LEADER_CANNOT" || !strings.Contains(err.Error(), "paddock cli members") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// lockUnderJava has two claim a lock at different followers.
func lockUnderJava(t *testing.T, followers []*rig.Server) {
	var held []*paddockv1.LockResponse
	for _, s := range followers {
		calls := dialGRPC(t, s)
		c := openSession(t, calls, 30*time.Second)
		ctx, cancel := context.WithTimeout(c.ctx, callTimeout)
		defer cancel()
		got, err := calls.Lock(ctx, &paddockv1.LockRequest{Path: "/lock"})
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, got)
		c.close(t)
	}
	if held[0].GetFencingToken() == 0 || held[1].GetFencingToken() <= held[0].GetFencingToken() {
		t.Errorf("the lock was given as %v and then as %v", held[0], held[1])
	}
}

// reasonIn is the reason that an error names.
func reasonIn(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}
