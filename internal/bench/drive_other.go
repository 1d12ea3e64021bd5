//go:build !linux

package bench

// drive drives each connection by a goroutine of its own.
func (g *group) drive(list []polled) {
	for _, c := range list {
		g.run(func() error { // ends when the connection is done
			if err := pump(c); err != nil {
				return err
			}
			return finish(c)
		})
	}
}

// write sends b.
func (l *link) write(b []byte) error {
	_, err := l.nc.Write(b)
	return err
}
