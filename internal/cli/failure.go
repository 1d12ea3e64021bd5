package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// The exit codes of ZooKeeper's command line.
const (
	exitOK       = 0
	exitFailure  = 1   // a command that failed, or was not understood
	exitConfig   = 2   // the client configuration cannot be read
	exitNotFound = 127 // no such command
)

// failure is why a command failed, as it is to be printed, and its exit code.
type failure struct {
	text string
	code int
}

// Error implements error.
func (f *failure) Error() string { return f.text }

// failf makes a failure with exit code 1.
func failf(format string, args ...any) error {
	return &failure{fmt.Sprintf(format, args...), exitFailure}
}

// codeError is the refusal of a request, with the path it was about; "" for none.
type codeError struct {
	code zk.Code
	path string
	why  error // what the code stands for, when no server has said it
}

// Unwrap implements errors.
func (e *codeError) Unwrap() error { return e.why }

// keeperWords are the words of ZooKeeper's exceptions where they differ from the names of the codes.
var keeperWords = map[zk.Code]string{
	zk.NotEmpty: "Directory not empty", zk.SessionExpired: "Session expired", zk.InvalidCallback: "Invalid callback",
	zk.SessionMoved: "Session moved", zk.NotReadOnly: "Not a read-only call", zk.EphemeralOnLocalSession: "Ephemeral node on local session",
	zk.NoWatcher: "No such watcher", zk.ReconfigDisabled: "Reconfig is disabled", zk.QuotaExceeded: "Quota has exceeded",
	zk.SessionClosedRequireSaslAuth: "Session closed because client failed to authenticate", zk.ThrottledOp: "Op throttled due to high load",
}

// keeper is the message of ZooKeeper's exception.
func (e *codeError) keeper() string {
	word, ok := keeperWords[e.code]
	if !ok {
		word = e.code.String()
	}
	text := "KeeperErrorCode = " + word
	if e.path != "" {
		text += " for " + e.path
	}
	return text
}

// Error is what ZooKeeper's command line prints.
func (e *codeError) Error() string {
	path := e.path
	if path == "" {
		path = "null"
	}
	for code, text := range map[zk.Code]string{
		zk.NoNode: "Node does not exist: ", zk.NoChildrenForEphemerals: "Ephemerals cannot have children: ", zk.NodeExists: "Node already exists: ",
		zk.NotEmpty: "Node not empty: ", zk.NotReadOnly: "Not a read-only call: ", zk.InvalidACL: "Acl is not valid : ",
		zk.NoAuth: "Insufficient permission : ", zk.BadArguments: "Arguments are not valid : ", zk.BadVersion: "version No is not valid : ",
		zk.QuotaExceeded: "Quota has exceeded : ",
	} {
		if code == e.code {
			return text + path
		}
	}
	switch e.code {
	case zk.ReconfigInProgress:
		return "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)"
	case zk.NewConfigNoQuorum:
		return "No quorum of new config is connected and up-to-date with the leader of last commmitted config - try invoking " +
			"reconfiguration after new servers are connected and synced"
	}
	text := e.keeper()
	if e.why != nil && errors.Is(e.why, client.ErrLost) {
		if cause := strings.TrimPrefix(e.why.Error(), client.ErrLost.Error()); cause != "" {
			text += "\n" + strings.TrimPrefix(cause, ": ")
		}
	}
	return text
}

// isCode tells whether err is the refusal with a code.
func isCode(err error, code zk.Code) bool {
	e, ok := errors.AsType[*codeError](err)
	return ok && e.code == code
}

// refused is the error of a request that was not answered, as ZooKeeper words it.
func refused(err error, path string) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*codeError](err); ok {
		return e
	}
	switch {
	case errors.Is(err, client.ErrExpired):
		return &codeError{zk.SessionExpired, path, err}
	case errors.Is(err, client.ErrAuth):
		return &codeError{zk.AuthFailed, path, err}
	case errors.Is(err, context.Canceled):
		return &failure{"interrupted", exitInterrupted}
	default:
		return &codeError{zk.ConnectionLoss, path, err}
	}
}

// exitInterrupted is what a shell reports of a program that was interrupted.
const exitInterrupted = 130

// checkPath is ZooKeeper's check of a path on the client's side, in its words. It counts UTF-16 units, as Java does.
func checkPath(path string) error {
	switch {
	case path == "":
		return failf("Path length must be > 0")
	case path[0] != '/':
		return failf("Path must start with / character")
	case path == "/":
		return nil
	case path[len(path)-1] == '/':
		return failf("Path must not end with / character")
	}
	if reason := badUnit(utf16.Encode([]rune(path))); reason != "" {
		return failf("Invalid path string \"%s\" caused by %s", path, reason)
	}
	return nil
}

// badUnit finds what may not be in a path.
func badUnit(units []uint16) string {
	ends := func(i int) bool { return i+1 == len(units) || units[i+1] == '/' }
	for i := 1; i < len(units); i++ {
		switch c, last := units[i], units[i-1]; {
		case c == 0:
			return fmt.Sprintf("null character not allowed @%d", i)
		case c == '/' && last == '/':
			return fmt.Sprintf("empty node name specified @%d", i)
		case c == '.' && last == '.' && units[i-2] == '/' && ends(i), c == '.' && last == '/' && ends(i):
			return fmt.Sprintf("relative paths not allowed @%d", i)
		case c <= 0x1f, c >= 0x7f && c <= 0x9f, c >= 0xd800 && c <= 0xf8ff, c >= 0xfff0:
			return fmt.Sprintf("invalid character @%d", i)
		}
	}
	return ""
}
