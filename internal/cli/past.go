package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// History is what a Backend also has if it can tell what has changed between two moments.
type History interface {
	// Since has see told of every change of a znode and all below it that came after a zxid, up to another, oldest first. An upTo of 0
	// stands for now.
	Since(ctx context.Context, path string, after, upTo zk.Zxid, see func(*paddockv1.Change) error) error
	// Oldest is the zxid after which history tells all.
	Oldest(ctx context.Context) (zk.Zxid, error)
}

// rootedHistory is a History whose paths begin at a chroot.
type rootedHistory struct {
	History
	root string
}

// Since implements History.
func (r rootedHistory) Since(ctx context.Context, path string, after, upTo zk.Zxid, see func(*paddockv1.Change) error) error {
	return r.History.Since(ctx, inside(r.root, path), after, upTo, func(c *paddockv1.Change) error {
		c.Path = outside(r.root, c.GetPath())
		return see(c)
	})
}

// historyOf is the Backend as one that can tell what has changed, if it is.
func historyOf(b Backend) (History, bool) {
	if r, ok := b.(*rooted); ok {
		h, ok := r.Backend.(History)
		return rootedHistory{h, r.root}, ok
	}
	h, ok := b.(History)
	return h, ok
}

// progressMS is how often the server says how far it is while it has nothing to tell.
const progressMS = 100

// Since implements History.
func (r *remote) Since(ctx context.Context, path string, after, upTo zk.Zxid, see func(*paddockv1.Change) error) error {
	session, err := r.connected(ctx, true)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.named(ctx, session))
	defer cancel()
	now, err := r.znodes.Sync(ctx, &paddockv1.SyncRequest{})
	switch newest := zk.Zxid(now.GetZxid()); {
	case err != nil:
		_, err = r.refusal(zk.OpSync, path, err)
		return err
	case upTo == 0:
		upTo = newest
	case upTo > newest:
		return failf("zxid %v is yet to come: the server is at %v", upTo, newest)
	}
	if after >= upTo {
		return nil
	}
	stream, err := r.watch.rpc.Watch(ctx)
	if err == nil { // that it cannot be sent shows below
		_ = stream.Send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{
			WatchId: 1, Path: path, Kind: paddockv1.WatchKind_WATCH_KIND_RECURSIVE, StartAfterZxid: uint64(after), FromStart: true, WithData: true, WithPrevious: true, WithAcl: true, ProgressMs: progressMS,
		}}})
	}
	for err == nil {
		var m *paddockv1.WatchResponse
		if m, err = stream.Recv(); err != nil {
			break
		}
		var done bool
		if done, err = past(m, after, upTo, see); done {
			return err
		}
	}
	_, err = r.refusal(zk.OpAddWatch, path, err)
	return err
}

// Oldest implements History.
func (r *remote) Oldest(ctx context.Context) (zk.Zxid, error) {
	out, err := r.admin.GetServerInfo(r.login(ctx), &paddockv1.GetServerInfoRequest{})
	return zk.Zxid(out.GetHistoryAfterZxid()), err
}

// past has see told of what a message says of changes up to a zxid; done if that was all, or the watch is over.
func past(m *paddockv1.WatchResponse, after, upTo zk.Zxid, see func(*paddockv1.Change) error) (done bool, err error) {
	if c := m.GetCancelled(); c.GetReason() == paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_HISTORY_GONE {
		return true, &historyGoneError{oldest: zk.Zxid(c.GetZxid()), after: after}
	} else if c != nil {
		return true, errors.New(c.GetMessage())
	}
	for _, c := range m.GetEvents().GetChanges() {
		if zk.Zxid(c.GetZxid()) > upTo {
			return true, nil
		}
		if err := see(c); err != nil {
			return true, err
		}
	}
	return m.GetProgress() != nil && zk.Zxid(m.GetProgress().GetZxid()) >= upTo, nil
}

// historyGoneError tells that the history of a server begins later than what it was asked for.
type historyGoneError struct{ oldest, after zk.Zxid }

// Error implements error.
func (e *historyGoneError) Error() string {
	return fmt.Sprintf("the history of this server begins at zxid %v, behind %v; historyLogBytes has more kept", e.oldest, e.after)
}

// pastMost is how many znodes that have changed are remembered.
const pastMost = 1_000_000

// held is what a znode held, or its access list: a hash, and the beginning as text. known is false where the server does not tell.
type held struct {
	known bool
	sum   [sha256.Size]byte
	text  string
	alike bool // it need not be the same if it looks the same
}

func heldBy(data []byte) held {
	if data == nil {
		return held{}
	}
	return held{known: true, sum: sha256.Sum256(data), text: shown(data)}
}

func listedBy(list *paddockv1.AccessList) held {
	if list == nil {
		return held{}
	}
	text := aclText(aclFrom(list.GetAcl()))
	hidden := slices.ContainsFunc(list.GetAcl(), func(a *paddockv1.Acl) bool { return a.GetScheme() == "digest" && strings.HasSuffix(a.GetId(), ":x") })
	return held{known: true, sum: sha256.Sum256([]byte(text)), text: text, alike: hidden}
}

// course is what became of the data of a znode, or of its access list.
type course struct {
	touched     bool
	first, last held // before the first change, after the last
}

// change takes note of a change.
func (c *course) change(before, after held) {
	if !c.touched {
		c.touched, c.first = true, before
	}
	c.last = after
}

// lacks tells that it is not known what was before the first change.
func (c *course) lacks() bool { return c.touched && !c.first.known }

// begin takes what was before the first change, if nothing is known of it.
func (c *course) begin(before held) {
	if c.lacks() {
		c.first = before
	}
}

// earlier is what a znode held, and its access list, for those who could see how it came about.
type earlier struct{ data, acl held }

// change takes note of a change. Once some may not read a znode, its data may be set without a word to them.
func (e *earlier) change(c *paddockv1.Change) {
	switch c.GetType() {
	case paddockv1.ChangeType_CHANGE_TYPE_CREATED:
		e.data, e.acl = heldBy(c.Data), listedBy(c.GetAcl())
	case paddockv1.ChangeType_CHANGE_TYPE_DATA_CHANGED:
		e.data = heldBy(c.Data)
	case paddockv1.ChangeType_CHANGE_TYPE_ACL_CHANGED:
		e.acl = listedBy(c.GetAcl())
		if !everyoneReads(c.GetAcl()) {
			e.data = held{}
		}
	default:
		*e = earlier{}
	}
}

// everyoneReads tells of an access list that nobody needs an identity for, to read.
func everyoneReads(list *paddockv1.AccessList) bool {
	return slices.ContainsFunc(list.GetAcl(), func(a *paddockv1.Acl) bool {
		return a.GetScheme() == "world" && slices.Contains(a.GetPermissions(), paddockv1.Permission_PERMISSION_READ)
	})
}

// told is how it differs; "" if it does not.
func (c *course) told(what string) string {
	switch both := c.first.known && c.last.known; {
	case !c.touched || both && c.first.sum == c.last.sum && !c.last.alike:
		return ""
	case both && c.first.sum == c.last.sum:
		return fmt.Sprintf("%s %s, perhaps with other hashes, which are hidden", what, c.last.text)
	case both:
		return fmt.Sprintf("%s %s before, %s after", what, c.first.text, c.last.text)
	case c.first.known:
		return fmt.Sprintf("%s %s before", what, c.first.text)
	case c.last.known:
		return fmt.Sprintf("%s %s after", what, c.last.text)
	}
	return what
}

// passage is what became of a znode.
type passage struct {
	was, is   bool // there, before the first change and after the last
	data, acl course
}

// runDiffPast compares a tree with what it was at a zxid, or what it was at two: @zxid or @zxid..zxid.
func runDiffPast(c *call) error {
	from, to, two := strings.Cut(strings.TrimPrefix(c.args[1], "@"), "..")
	after, err := strconv.ParseUint(from, 0, 63)
	upTo := uint64(0)
	if err == nil && two {
		upTo, err = strconv.ParseUint(to, 0, 63)
	}
	switch {
	case err != nil:
		return trouble(fmt.Errorf("%s is not @zxid or @zxid..zxid, such as @0x100000a2c", c.args[1]))
	case two && upTo < after:
		return trouble(fmt.Errorf("%s is backwards: the older zxid comes first", c.args[1]))
	case c.has("ephemerals"):
		return trouble(errors.New("the history tells of all kinds of znodes: leave out -ephemerals"))
	}
	root := "/"
	if len(c.args) > 2 {
		root = c.args[2]
	}
	h, ok := historyOf(c.sh.backend)
	if !ok {
		return trouble(errors.New("what was at a zxid is told over gRPC alone: paddock cli --grpc"))
	}
	all := map[string]*passage{}
	if !two || upTo > after {
		err = h.Since(c.ctx, root, zk.Zxid(after), zk.Zxid(upTo), func(ch *paddockv1.Change) error {
			if system(ch.GetPath()) && !system(root) {
				return nil
			}
			return gather(all, ch)
		})
	}
	if err != nil {
		return trouble(err)
	}
	d := comparison{c: c, acls: !c.has("no-acl")}
	if err := before(c.ctx, h, root, zk.Zxid(after), all, d.acls); err != nil {
		return trouble(err)
	}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		d.passed(path, all[path])
		if err := c.sh.out.broken(); err != nil {
			return err
		}
	}
	if d.found > 0 {
		return &failure{code: exitDiffers}
	}
	return nil
}

// gather takes note of a change.
func gather(all map[string]*passage, c *paddockv1.Change) error {
	p := all[c.GetPath()]
	if p == nil {
		if len(all) == pastMost {
			return failf("more than %d znodes have changed: name a smaller tree, or a later zxid", pastMost)
		}
		p = &passage{was: c.GetType() != paddockv1.ChangeType_CHANGE_TYPE_CREATED}
		all[c.GetPath()] = p
	}
	p.is = c.GetType() != paddockv1.ChangeType_CHANGE_TYPE_DELETED
	if c.GetType() != paddockv1.ChangeType_CHANGE_TYPE_ACL_CHANGED {
		p.data.change(heldBy(c.PreviousData), heldBy(c.Data))
	}
	if c.GetType() != paddockv1.ChangeType_CHANGE_TYPE_DATA_CHANGED {
		p.acl.change(listedBy(c.GetPreviousAcl()), listedBy(c.GetAcl()))
	}
	return nil
}

// before learns what was before first changes that the log told without it, from what the history tells of the time before: who set it.
func before(ctx context.Context, h History, root string, upTo zk.Zxid, all map[string]*passage, acls bool) error {
	unknown := map[string]*earlier{}
	for path, p := range all {
		if p.was && (p.data.lacks() || acls && p.acl.lacks()) {
			unknown[path] = &earlier{}
		}
	}
	if len(unknown) == 0 || upTo == 0 {
		return nil
	}
	oldest, err := h.Oldest(ctx)
	if err != nil || oldest >= upTo {
		return err
	}
	err = h.Since(ctx, root, oldest, upTo, func(c *paddockv1.Change) error {
		if u := unknown[c.GetPath()]; u != nil {
			u.change(c)
		}
		return nil
	})
	var gone *historyGoneError
	if errors.As(err, &gone) { // purged meanwhile, or the server is another
		return nil
	}
	for path, u := range unknown {
		all[path].data.begin(u.data)
		all[path].acl.begin(u.acl)
	}
	return err
}

// passed prints what became of a znode, if it is not as it was.
func (d *comparison) passed(path string, p *passage) {
	switch {
	case p.was && !p.is:
		d.say("-", path, "deleted")
	case !p.was && p.is:
		d.say("+", path, strings.TrimSuffix("created, data "+p.data.last.text, ", data "))
	case p.was:
		if text := p.data.told("data"); text != "" {
			d.say("~", path, text)
		}
		if text := p.acl.told("access list"); text != "" && d.acls {
			d.say("~", path, text)
		}
	}
}
