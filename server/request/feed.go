package request

import (
	"errors"

	"paddock/internal/zk"
)

// Change is what a committed txn has done to one znode. Nothing it refers to ever changes, and all may be kept; but it may share
// memory with much else, so who keeps it for long makes copies.
type Change struct {
	Kind    zk.EventType // NodeCreated, NodeDeleted, NodeDataChanged or NodeACLChanged
	Path    string
	Zxid    zk.Zxid
	Session zk.SessionID // that the txn was of; 0 for the server's own
	Data    []byte       // what a created or changed znode holds then
	// Previous is what a changed or deleted znode held before, and PreviousACL the list before another, if PreviousKnown.
	Previous      []byte
	PreviousACL   []zk.ACL
	PreviousKnown bool
	// ACL is that of the znode, of a deleted one as it was, and ParentACL that of its parent; where the list alone is another, ParentACL
	// is not set. Of a change that comes from the log they are what the tree has now where the log does not tell: that of the nearest
	// ancestor where a znode is gone.
	ACL, ParentACL []zk.ACL
	// Guessed: ACL need not be the list of then. Data is not here, since it is not known who might read it.
	Guessed bool
}

// FeedState is how far the feed of changes is.
type FeedState struct {
	// Serves: the server has a role in which it serves clients. While it does not, it may not hear of what is decided.
	Serves bool
	// Tenure is another number whenever the server has not served in between.
	Tenure uint64
	// Oldest and Last: memory holds every change after Oldest up to Last, which is what the tree is at.
	Oldest, Last zk.Zxid
}

// ErrHistoryGone tells that neither memory nor the log goes back to the zxid that was asked for.
var ErrHistoryGone = errors.New("the history does not go back that far")

// HistoryGoneError is ErrHistoryGone with where history can be taken up again: at a list of Oldest or later.
type HistoryGoneError struct{ Oldest zk.Zxid }

// Error implements error.
func (e *HistoryGoneError) Error() string { return ErrHistoryGone.Error() }

// Is tells that it is ErrHistoryGone.
func (e *HistoryGoneError) Is(target error) bool { return target == ErrHistoryGone }
