package driver

import (
	"testing"
	"testing/synctest"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

func TestAClientThatDoesNotReadIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}).run()
		p, q := r.open(), r.open()
		p.expect("connected")
		q.expect("connected")
		p.each = request.BacklogBytesMax/3 + 1
		p.send(exists(1, "/"), exists(2, "/"), exists(3, "/"), exists(4, "/"), exists(5, "/"))
		p.send(exists(6, "/"))
		p.expect("1 OK", "2 OK", "3 OK")
		q.send(exists(1, "/a")) // others go on
		q.expect("1 NoNode")
		p.send(exists(7, "/")) // behind what is parked
		p.expect()
		p.backlog.Store(0)
		r.d.Drained(p.id)
		p.expect("4 OK", "5 OK", "6 OK")
		p.backlog.Store(0)
		r.d.Drained(p.id)
		p.expect("7 OK")
		r.d.Drained(p.id) // once too often
		p.expect()
		r.stop()
	})
}

func TestWhatIsParkedGoesWithItsClient(t *testing.T) {
	for name, end := range map[string]func(*peer){
		"the connection is gone":           func(p *peer) { p.rig.d.Close(p.id) },
		"a parked request ends it":         func(p *peer) { p.backlog.Store(0); p.rig.d.Drained(p.id) },
		"the session is ended by somebody": func(p *peer) { p.rig.d.Do(replica.Event{Kind: replica.ExpireNow, Session: p.session.Session}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &fakeLog{}).run()
				p := r.open()
				p.backlog.Store(request.BacklogBytesMax + 1)
				p.send(exists(1, "/"), zk.Request{Xid: 2, Op: 77}, exists(3, "/"))
				p.send(exists(4, "/"), exists(5, "/"))
				p.expect("connected")
				end(p)
				synctest.Wait()
				if len(r.d.clients) != 0 {
					t.Error("the client is still there")
				}
				if r.d.box.weight != 0 {
					t.Errorf("%d bytes of requests are unaccounted for", r.d.box.weight)
				}
				p.send(exists(6, "/"))
				r.stop()
			})
		})
	}
}
