//go:build !linux

package grpcapi

import "path/filepath"

// socketPath is the path of the socket. Where it is longer than the system's addresses hold, listening and dialling
// fail and say so.
func socketPath(dataDir string) (path string, release func(), err error) {
	return filepath.Join(dataDir, SocketName), func() {}, nil
}
