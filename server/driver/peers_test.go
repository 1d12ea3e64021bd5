package driver

import (
	"testing"
	"testing/synctest"
)

func TestAViewIsGivenBackHoweverMuchWaitsFromOtherServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{})
		r.d.box.peers = weightMax + 1
		given := make(chan struct{})
		go func() { r.d.SnapSent(nil); close(given) }()
		synctest.Wait()
		select {
		case <-given:
		default:
			t.Error("the owner, which calls it, would wait for itself")
			r.d.box.stop()
		}
	})
}
