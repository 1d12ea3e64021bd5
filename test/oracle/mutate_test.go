//go:build interop

package oracle

import (
	"errors"
	"testing"
)

// TestEveryLieIsNoticed puts a proxy before the second of two ZooKeeper servers, lets it lie once per game, and expects
// every game to end in a difference. A game without a lie in between must not.
func TestEveryLieIsNoticed(t *testing.T) {
	var p *liar
	r := &run{dir: fastDir(t), kind: "java", requests: 120, perPair: 1 << 30,
		proxy: func(addr string) (string, func(), error) {
			var err error
			if p, err = newLiar(addr); err != nil {
				return "", nil, err
			}
			return p.listen.Addr().String(), p.close, nil
		}}
	defer r.close()
	if err := r.seed(1); err != nil {
		t.Fatalf("a proxy that tells no lie must go unnoticed: %v", err)
	}
	seed := uint64(2)
	for _, kind := range []string{"flip", "code", "drop", "late", "twice", "close"} {
		t.Run(kind, func(t *testing.T) {
			told := 0
			for n := range 12 {
				nth := 1 + n
				if kind == "flip" || kind == "code" || kind == "close" {
					nth = 2 + 17*n
				}
				p.arm(mutation{kind: kind, nth: nth, bit: 31 + 41*n})
				err := r.seed(seed)
				seed++
				var d *Difference
				if p.told() != errors.As(err, &d) {
					t.Errorf("seed %d: lie told: %t, result: %v", seed-1, p.told(), err)
				}
				if err != nil && d == nil {
					t.Fatal(err)
				}
				if !p.told() {
					continue
				}
				told++
				if kind == "close" { // requests may have been lost with the connection, so the two are no longer equal
					if err := r.fresh(seed); err != nil {
						t.Fatal(err)
					}
				}
			}
			if told < 5 {
				t.Errorf("only %d of 12 lies were told", told)
			}
		})
	}
	p.arm(mutation{})
	if err := r.seed(seed); err != nil {
		t.Fatalf("after all lies, a proxy that tells none must go unnoticed: %v", err)
	}
}
