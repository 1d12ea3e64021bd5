package juteapi

import "encoding/binary"

// words are the four-letter words, by the frame length that their bytes would be.
var words = func() map[uint32]string {
	m := map[uint32]string{0xfff4fffd: "telnet close"} // what telnet sends for an interrupt
	for _, w := range [...]string{"conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr",
		"ruok", "srst", "srvr", "stat", "stmk", "wchc", "wchp", "wchs"} {
		m[binary.BigEndian.Uint32([]byte(w))] = w
	}
	return m
}()

// wordArgBytes is how much follows stmk: the new trace mask.
const wordArgBytes = 8
