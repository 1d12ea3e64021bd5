package secure

// Bytes that a TLS connection begins with: a record of type handshake, of a version whose first half is 3.
const (
	recordHandshake = 0x16
	versionMajor    = 3
)

// Detect tells by the first bytes of a connection whether it is TLS; known is false as long as they are too few to tell.
// What is TLS is never the beginning of a connection of ZooKeeper's protocol: as the length of a frame these bytes are
// 353 MiB and more, and a connect request has some fifty bytes; a four-letter word begins with a letter. HTTP/2 and
// HTTP/1 begin with a letter too.
func Detect(b []byte) (isTLS, known bool) {
	switch {
	case len(b) == 0:
		return false, false
	case b[0] != recordHandshake:
		return false, true
	case len(b) == 1:
		return false, false
	default:
		return b[1] == versionMajor, true
	}
}
