//go:build doors

package suite

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/zk"
	"paddock/test/doors/rig"
)

// step is one thing to ask.
type step struct {
	name  string // a sentence
	op    string // create, set, get, exists, delete, children, acl, setacl, multi, batch, sync, auth, whoami, ephemerals
	path  string // auth: the scheme; ephemerals: what the paths begin with
	data  string // auth: the credential
	mode  zk.CreateMode
	ttl   int64 // milliseconds
	any   bool  // whatever version is there
	at    int32 // the version expected otherwise
	acl   []zk.ACL
	steps []step // multi: create, set, delete, check; batch: get, children
	by    int    // which session asks
}

// answer is what all doors can say.
type answer struct {
	Reason   string // ZooKeeper's name of the error, in capitals
	Path     string
	Data     string
	Stat     zk.Stat
	Children []string
	ACL      []zk.ACL
	Who      []string
	Zxid     uint64
	Results  []answer
}

// String shows an answer in one line.
func (a answer) String() string {
	if a.Reason != "" {
		return fmt.Sprintf("%s at zxid %#x", a.Reason, a.Zxid)
	}
	text := fmt.Sprintf("path %q data %q stat %+v children %q acl %v who %q zxid %#x", a.Path, a.Data, a.Stat, a.Children, a.ACL, a.Who, a.Zxid)
	for _, r := range a.Results {
		text += "\n      " + r.String()
	}
	return text
}

// door is a way in.
type door interface {
	// open opens a session.
	open(t *testing.T, s *rig.Server, timeout time.Duration) caller
}

// caller is a session of a door.
type caller interface {
	id() int64
	// ask does one step. The error is that of a door which has not answered.
	ask(s *step) (answer, error)
	// close ends the session.
	close(t *testing.T)
}

// doors are all of them.
var doors = map[string]door{
	"jute": juteDoor{}, "gRPC": serviceDoor{"gRPC"}, "pipeline": serviceDoor{"pipeline"}, "REST": serviceDoor{"REST"},
	"gRPC without a session": bareDoor{"gRPC"}, "pipeline without a session": bareDoor{"pipeline"}, "REST without a session": bareDoor{"REST"},
}

// names are those of the doors with sessions, jute first.
func names() []string { return []string{"jute", "gRPC", "pipeline", "REST"} }

// run asks all steps on a new server through one door.
func run(t *testing.T, d door, steps []step, settings ...string) []answer {
	t.Helper()
	return play(t, d, rig.Start(t, settings...), steps)
}

// play asks all steps at a server through one door. Sessions are opened when they are first named, and closed by a step "close", whose
// answer is the zero one.
func play(t *testing.T, d door, s *rig.Server, steps []step) []answer {
	t.Helper()
	var callers []caller
	var out []answer
	began := time.Now().Add(-time.Minute).UnixMilli()
	for i := range steps {
		st := &steps[i]
		for st.by >= len(callers) {
			callers = append(callers, d.open(t, s, 30*time.Second))
		}
		if st.op == "close" {
			callers[st.by].close(t)
			out = append(out, answer{})
			continue
		}
		a, err := callers[st.by].ask(st)
		if err != nil {
			t.Fatalf("%s: %v", st.name, err)
		}
		if err := neutral(&a, callers, began); err != nil {
			t.Errorf("%s: %v", st.name, err)
		}
		out = append(out, a)
	}
	return out
}

// neutral takes out of an answer what differs between runs, and checks it: times are of this test, ephemerals belong to a session.
func neutral(a *answer, callers []caller, began int64) error {
	slices.Sort(a.Children)
	slices.Sort(a.Who)
	for _, ms := range []*int64{&a.Stat.CtimeMS, &a.Stat.MtimeMS} {
		if *ms != 0 && (*ms < began || *ms > time.Now().Add(time.Minute).UnixMilli()) {
			return fmt.Errorf("the time %d is not of now", *ms)
		}
		*ms = min(*ms, 1)
	}
	for i, c := range callers {
		if c.id() != 0 && a.Stat.EphemeralOwner == c.id() {
			a.Stat.EphemeralOwner = int64(i + 1)
		}
	}
	for i := range a.Results {
		if err := neutral(&a.Results[i], callers, began); err != nil {
			return err
		}
	}
	return nil
}

// compare runs steps through all doors and compares each answer with that of the first.
func compare(t *testing.T, steps []step, settings ...string) {
	t.Helper()
	compareDoors(t, names(), steps, settings...)
}

func compareDoors(t *testing.T, list []string, steps []step, settings ...string) {
	t.Helper()
	var first []answer
	for _, name := range list {
		got := run(t, doors[name], steps, settings...)
		if first == nil {
			first = got
			continue
		}
		for i, st := range steps {
			t.Run(name+"/"+st.name, func(t *testing.T) {
				if got[i].String() != first[i].String() {
					t.Errorf("%s answers\n    %v\n  jute\n    %v", name, got[i], first[i])
				}
			})
		}
	}
}

// reasonOf is a code's name in Java's KeeperException.Code.
func reasonOf(c zk.Code) string {
	if c == zk.OK {
		return ""
	}
	return strings.ToUpper(c.String())
}

// until waits until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(callTimeout); !holds(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", callTimeout, what)
		}
	}
}
