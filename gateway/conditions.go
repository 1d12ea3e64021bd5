package gateway

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
)

// etag names one state of a znode's data: a znode that is deleted and created again has the same versions, but not the same zxid.
func etag(s *paddockv1.Stat) string { return fmt.Sprintf(`"%d-%d"`, s.GetMzxid(), s.GetVersion()) }

// parseETag is the inverse of etag.
func parseETag(tag string) (mzxid uint64, version int32, ok bool) {
	inner, found := strings.CutPrefix(tag, `"`)
	inner, end := strings.CutSuffix(inner, `"`)
	a, b, dash := strings.Cut(inner, "-")
	mzxid, err1 := strconv.ParseUint(a, 10, 64)
	v, err2 := strconv.ParseInt(b, 10, 32)
	return mzxid, int32(v), found && end && dash && err1 == nil && err2 == nil
}

// matches tells whether a list of tags, or *, has one.
func matches(list, tag string) bool {
	for _, one := range strings.Split(list, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// condition is a state of a znode that an If-Match names.
type condition struct {
	mzxid   uint64
	version int32
}

// conditionsOf are the states that a list of tags names, the oldest first. Tags of no znode, and weak ones, match nothing.
func conditionsOf(list string) (all []condition) {
	for _, tag := range strings.Split(list, ",") {
		if mzxid, version, ok := parseETag(strings.TrimSpace(tag)); ok {
			all = append(all, condition{mzxid, version})
		}
	}
	slices.SortFunc(all, func(x, y condition) int { return cmp.Compare(x.mzxid, y.mzxid) })
	return slices.Compact(all)
}

// guarded does one operation, made by op for a version, if the znode still is what one of the tags names. A znode goes through its states in
// their order: if it is none of them when it is looked for, one after the other, it was none at the end.
func (z *znodes) guarded(ctx context.Context, path, tags string, op func(version *int32) *paddockv1.Operation, o *paddockv1.WriteOptions) (*paddockv1.TransactResponse, error) {
	all := conditionsOf(tags)
	if len(all) > conditionsMax {
		return nil, invalid(fmt.Sprintf("If-Match has %d tags; there may be %d", len(all), conditionsMax))
	}
	failed := precondition(path, "If-Match "+tags+" is no ETag of a znode")
	for i := range all {
		in := &paddockv1.TransactRequest{
			Guards:  []*paddockv1.Guard{{Path: path, Condition: &paddockv1.Guard_Mzxid{Mzxid: all[i].mzxid}}},
			Then:    []*paddockv1.Operation{op(&all[i].version)},
			Options: o,
		}
		out, err := z.call.Transact(ctx, in)
		if reason(err) == "LEADER_CANNOT" { // it is a Java ZooKeeper: the version alone decides
			in.Guards = nil
			out, err = z.call.Transact(ctx, in)
		} else if err == nil && !out.GetHeld() {
			err = precondition(path, "the znode is not what If-Match names any more")
		}
		// A retry may have been done with another of the tags.
		if why := reason(err); err == nil || why != "BADVERSION" && why != "KEY_REUSED" {
			return out, err
		}
		failed = err
	}
	return nil, failed
}

// conditionsMax is how many tags an If-Match may have.
const conditionsMax = 16

// precondition is the failure of a condition.
func precondition(path, detail string) error {
	st, err := status.New(codes.FailedPrecondition, detail).WithDetails(&errdetails.ErrorInfo{
		Reason: "BADVERSION", Domain: "paddock", Metadata: map[string]string{"path": path},
	})
	if err != nil {
		return status.Error(codes.FailedPrecondition, detail)
	}
	return st.Err()
}

// reason is that of a call's failure; empty if it has none.
func reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// writeOptions are those of a header or the query.
func writeOptions(r *http.Request, q query) (*paddockv1.WriteOptions, error) {
	o := &paddockv1.WriteOptions{}
	if key := cmp.Or(r.Header.Get("Idempotency-Key"), q.Get("idempotencyKey")); key != "" {
		n, err := strconv.ParseUint(strings.Trim(key, `"`), 10, 63)
		if err != nil || n == 0 {
			return nil, invalid("the idempotency key must be a number from 1 to 9223372036854775807, unique within the session")
		}
		o.IdempotencyKey = n
	}
	var err error
	o.MinZxid, err = q.zxid("minZxid")
	return o, err
}

// first is the first error of several.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
