package grpcapi

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestNobodyLooksOutOnceTheDoorIsClosed: a guest that was opened then would be closed by nobody, nor answered by a server that has stopped.
func TestNobodyLooksOutOnceTheDoorIsClosed(t *testing.T) {
	var o lookout
	o.close()
	if _, _, err := o.send(t.Context(), nil, spot{path: "/a"}); status.Code(err) != codes.Unavailable {
		t.Errorf("answered %v, want %v", err, codes.Unavailable)
	}
}
