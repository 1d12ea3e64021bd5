package grpcapi

import (
	"fmt"
	"os"
	"path/filepath"
)

// socketPathBytesMax is what fits into sockaddr_un beside its final zero.
const socketPathBytesMax = 107

// socketPath is a path of the socket that the kernel takes. Its addresses hold 107 bytes, which the path of a data
// directory may exceed; then the directory is opened and named through /proc. release must be called after use.
func socketPath(dataDir string) (path string, release func(), err error) {
	path = filepath.Join(dataDir, SocketName)
	if len(path) <= socketPathBytesMax {
		return path, func() {}, nil
	}
	dir, err := os.Open(dataDir)
	if err != nil {
		return "", nil, fmt.Errorf("open data directory: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), SocketName), func() { dir.Close() }, nil
}
