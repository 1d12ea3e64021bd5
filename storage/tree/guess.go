package tree

// GuessMax is how many paths Guess takes at the most.
const GuessMax = 32

// Guess says for each path where its znode probably is, in near, or None; FindNear makes sure. What near says already is believed.
//
// To find a znode is to wait for memory, three times in a row: for the entry of the index, for the znode, and for its name and data. Here many
// wait at the same time, and FindNear then has all of it at hand.
func (t *Tree) Guess(paths []string, near []Ref) {
	var hashes [GuessMax]uint64
	var homes [GuessMax]entry
	for i, p := range paths {
		if near[i] == None {
			hashes[i] = hash(t.seed, p)
			homes[i] = t.index.first(hashes[i])
		}
	}
	for i := range paths {
		if homes[i].ref != None {
			near[i] = t.index.guess(hashes[i])
		}
	}
	var slots [GuessMax][]byte
	for i := range paths {
		if r := near[i]; r != None && r < t.fresh {
			n := t.at(r)
			t.glanced ^= byte(n.ctimeMS) ^ byte(n.digest) // of its other lines
			mem := t.mem[n.page][int(n.off)*slotUnit:]
			slots[i] = mem[:min(len(mem), int(n.nameLen)+max(0, int(n.dataLen)))]
		}
	}
	for _, s := range slots[:len(paths)] {
		if len(s) > 0 {
			t.glanced ^= s[0] ^ s[len(s)/2] ^ s[len(s)-1]
		}
	}
}
