package grpcapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	paddockv1 "paddock/gen/paddock/v1"
)

// SocketName is the name of the unix socket in the data directory. ZooKeeper ignores it.
const SocketName = "paddock.sock"

// ListenLocal opens the unix socket of a data directory, for the user of the process only. The caller holds the
// directory's lock: a socket that is already there was left by a process that is gone, and is replaced.
// Closing the listener removes the socket.
func ListenLocal(dataDir string) (net.Listener, error) {
	path, release, err := socketPath(dataDir)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove stale socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", filepath.Join(dataDir, SocketName), err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // the path may be the short one, which ends with release
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect socket: %w", err), l.Close())
	}
	return &localListener{Listener: l, file: filepath.Join(dataDir, SocketName)}, nil
}

// localListener removes its socket file when it is closed.
type localListener struct {
	net.Listener
	file string
}

// Close stops listening and removes the socket file.
func (l *localListener) Close() error {
	err := l.Listener.Close()
	if rm := os.Remove(l.file); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return err
}

// DialLocal makes a connection to the server that holds a data directory. It does not wait: the first call fails with
// UNAVAILABLE if nobody listens.
func DialLocal(dataDir string) (*grpc.ClientConn, error) {
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		path, release, err := socketPath(dataDir)
		if err != nil {
			return nil, err
		}
		defer release()
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	// The name is only shown in errors, and is the :authority that the server sees.
	return grpc.NewClient("passthrough:///localhost",
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dial))
}

// Dial makes a connection to a server's grpcPort, with TLS unless secure is nil. It does not wait.
func Dial(addr string, secure *tls.Config) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if secure != nil {
		transport = credentials.NewTLS(secure)
	}
	return grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(transport))
}

// FetchStatus asks the server at the other end of the connection for its state. Errors are gRPC statuses.
func FetchStatus(ctx context.Context, conn grpc.ClientConnInterface) (Status, error) {
	out, err := paddockv1.NewAdminServiceClient(conn).GetStatus(ctx, &paddockv1.GetStatusRequest{})
	if err != nil {
		return Status{}, err
	}
	return fromProto(out.GetStatus()), nil
}
