package tree

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

// Whatever is guessed, or is left of an older guess, FindNear finds what Find finds.
func TestAGuessChangesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	tr := New(1)
	odd := []string{"", "/", "//", "/zookeeper", "/zookeeper/config", "relative", "/n1/", "/n1//x", "/no\x00thing"}
	pick := func() string {
		if n := rng.IntN(80); n < len(odd) {
			return odd[n]
		}
		return fmt.Sprint("/n", rng.IntN(60))
	}
	paths, near, right := make([]string, GuessMax), make([]Ref, GuessMax), 0
	for z := zk.Zxid(1); z < 3000; z++ {
		body := txn.Txn{Type: zk.OpCreate, Path: fmt.Sprint("/n", rng.IntN(60)), Data: make([]byte, rng.IntN(200)), ACL: zk.OpenACL, ParentCversion: -1}
		if rng.IntN(2) == 0 {
			body = txn.Txn{Type: zk.OpDelete, Path: body.Path}
		}
		tr.Apply(&txn.Header{Zxid: z, Type: body.Type}, &body, nil)
		n := rng.IntN(GuessMax + 1)
		for i := range n {
			paths[i] = pick()
			if rng.IntN(4) > 0 {
				near[i] = None // otherwise it is what was guessed before, of another path perhaps, or of a znode that is gone
			}
		}
		tr.Guess(paths[:n], near[:n])
		for i, p := range paths[:n] {
			want, there := tr.Find(p)
			if got, ok := tr.FindNear(near[i], p); got != want || ok != there {
				t.Fatalf("%q: %v, %v by the guess %v, want %v, %v", p, got, ok, near[i], want, there)
			}
			if there && near[i] == want {
				right++
			}
		}
	}
	if right < 10_000 {
		t.Errorf("%d guesses were right", right)
	}
}
