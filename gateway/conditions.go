package gateway

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
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

// guarded does one operation, made by op for a version, if the znode still is what the tag names. Where the leader, a Java ZooKeeper, cannot
// judge that, its version alone decides.
func (z *znodes) guarded(ctx context.Context, path, tag string, op func(version *int32) *paddockv1.Operation, o *paddockv1.WriteOptions) (*paddockv1.TransactResponse, error) {
	mzxid, version, ok := parseETag(strings.TrimSpace(tag))
	if !ok {
		return nil, precondition(path, "If-Match "+tag+" is no ETag of a znode")
	}
	in := &paddockv1.TransactRequest{
		Guards:  []*paddockv1.Guard{{Path: path, Condition: &paddockv1.Guard_Mzxid{Mzxid: mzxid}}},
		Then:    []*paddockv1.Operation{op(&version)},
		Options: o,
	}
	out, err := z.call.Transact(ctx, in)
	if reason(err) == "LEADER_CANNOT" {
		in.Guards = nil
		out, err = z.call.Transact(ctx, in)
		return out, err
	}
	if err == nil && !out.GetHeld() {
		return nil, precondition(path, "the znode is not what If-Match names any more")
	}
	return out, err
}

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
