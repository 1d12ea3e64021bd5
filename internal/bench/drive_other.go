//go:build !linux

package bench

// drive drives each connection by a goroutine of its own.
func (g *group) drive(list []polled) { g.driveEach(list) }

// write sends b.
func (l *link) write(b []byte) error {
	_, err := l.nc.Write(b)
	return err
}
