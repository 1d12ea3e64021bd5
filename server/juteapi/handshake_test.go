package juteapi

import "testing"

func TestSessionFromHandshakeToClose(t *testing.T) {
	d := open(t, Options{})
	p := d.dial(t)
	p.send(connectHex)
	p.expect("00000025 00000000 00002710 0100000000000001 00000010")
	p.expectBytes(17)
	p.send("00000008 fffffffe 0000000b")
	p.expect("00000010 fffffffe 0000000000000001 00000000")
	p.send("00000008 00000007 fffffff5 00000008 00000008 0000000b")
	p.expect("00000010 00000007 0000000000000002 00000000")
	if rest := p.expectEnd(); len(rest) != 0 {
		t.Fatalf("after closeSession: %x", rest)
	}
}
