package bench

// polled is a connection that acts when bytes have come: a lane or a watcher.
type polled interface {
	// ready looks at what was read, at first nothing, and sends what follows from it. done: it waits for nothing more.
	ready() (done bool, err error)
	// fill waits for bytes and reads them.
	fill() error
	// socket is the connection itself.
	socket() *link
	// lost describes the end of the connection.
	lost(error) error
}

func (l *link) socket() *link { return l }

// pump drives one connection until it is done.
func pump(c polled) error {
	for {
		if done, err := c.ready(); done || err != nil {
			return err
		}
		if err := c.fill(); err != nil {
			return c.lost(err)
		}
	}
}

// finish closes the session of a connection that is done. A watcher's is closed already.
func finish(c polled) error {
	if _, open := c.(*lane); !open {
		return nil
	}
	if err := c.socket().close(); err != nil {
		return c.lost(err)
	}
	return nil
}

// driveEach drives each connection by a goroutine of its own.
func (g *group) driveEach(list []polled) {
	for _, c := range list {
		g.run(func() error { // ends when the connection is done
			if err := pump(c); err != nil {
				return err
			}
			return finish(c)
		})
	}
}
