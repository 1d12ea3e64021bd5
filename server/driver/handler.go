package driver

import (
	"time"

	"paddock/internal/zk"
	"paddock/server/request"
)

var _ request.Handler = (*Driver)(nil)

// Open implements request.Handler.
func (d *Driver) Open(s request.Sink, o request.Origin) request.ClientID {
	id := request.ClientID(d.nextID.Add(1))
	d.box.post(letter{kind: opened, client: id, sink: s, origin: o})
	return id
}

// Connect implements request.Handler.
func (d *Driver) Connect(id request.ClientID, r *zk.ConnectRequest) {
	d.box.post(letter{kind: connect, client: id, connect: r})
}

// Submit implements request.Handler.
func (d *Driver) Submit(id request.ClientID, reqs []zk.Request, pass func()) (on bool) {
	return d.put(letter{kind: submit, client: id, requests: reqs, weight: weigh(reqs), at: int64(time.Since(d.start))}, pass)
}

// Drained implements request.Handler.
func (d *Driver) Drained(id request.ClientID) { d.box.post(letter{kind: drained, client: id}) }

// Close implements request.Handler.
func (d *Driver) Close(id request.ClientID) { d.box.post(letter{kind: closed, client: id}) }
