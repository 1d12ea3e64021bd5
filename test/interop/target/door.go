package target

import (
	"io"
	"net"
	"sync"
)

// door is what clients dial: it passes bytes between them and the server, and is open only while the server serves.
//
// Without it, a client that dials again at the wrong moment of a restart is accepted by a Java server that is still starting,
// which then neither answers nor closes; such a client waits out its session timeout and loses its session.
type door struct {
	address string // where clients dial
	server  string // where the server listens
	// Set while the door is open; used by the owner of the Server alone.
	listener net.Listener
	passing  sync.WaitGroup // the goroutines of the listener and of every connection

	mu    sync.Mutex            // guards conns
	conns map[net.Conn]struct{} // both ends of every open connection
}

// open starts to let clients in.
func (d *door) open() error {
	listener, err := net.Listen("tcp", d.address)
	if err != nil {
		return err
	}
	d.listener, d.conns = listener, map[net.Conn]struct{}{}
	d.passing.Go(func() { // ends when bar closes the listener
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			d.admit(client)
		}
	})
	return nil
}

// bar lets no further client in; those who are in stay.
func (d *door) bar() {
	if d.listener != nil {
		_ = d.listener.Close() // nothing to be lost
		d.listener = nil
	}
}

// clear ends every connection that is left and returns when nothing passes any more.
func (d *door) clear() {
	d.mu.Lock()
	for conn := range d.conns {
		_ = conn.Close() // whatever it still carried has nobody to go to
	}
	d.mu.Unlock()
	d.passing.Wait()
}

// admit connects a client to the server, or turns it away if the server is not there.
func (d *door) admit(client net.Conn) {
	server, err := net.Dial("tcp", d.server)
	if err != nil {
		_ = client.Close()
		return
	}
	d.mu.Lock()
	d.conns[client], d.conns[server] = struct{}{}, struct{}{}
	d.mu.Unlock()
	d.passing.Go(func() { d.pass(server, client) }) // both end when either side closes, at the latest in clear
	d.passing.Go(func() { d.pass(client, server) })
}

// pass hands on what comes from one side until it ends, and then ends both.
func (d *door) pass(to, from net.Conn) {
	_, _ = io.Copy(to, from) // a broken connection is told to both sides by closing them
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range []net.Conn{to, from} {
		_ = conn.Close()
		delete(d.conns, conn)
	}
}
