package wal

import (
	"encoding/binary"
	"hash/adler32"
	"math/bits"

	"paddock/storage/vfs"
)

// What a crash during an append can leave, and what it cannot.
//
// Records are written onto zeros or onto the end of the file, and all that was synced stays. So each 512-byte sector of
// the un-synced end holds either what was written or zeros, and the file may be shorter. An unfinished record therefore
//
//	(a) reaches the end of the file, or has nothing but zeros from some point within it to the end of the file, or
//	(b) has a sector that reads as zeros from where the record enters it,
//
// and what was written behind it is no longer than a Writer leaves un-synced. Anything else is damage. So is a record
// that a single flipped bit explains, even if it happens to hold a sector of zeros: a record with a flipped bit was whole
// once, and may have been acknowledged. (Unless that bit was the only one of the sector that reads as zeros.)

// judge decides whether the unfinished record at s.pos can come from a crash. It returns nil for a clean end.
func (s *scanner) judge(e *ending) (*Torn, error) {
	last, err := s.lastNonZero(s.pos)
	if err != nil {
		return nil, err
	}
	if last < s.pos && s.pos >= HeaderBytes {
		return nil, nil // zeros to the end of the file, or nothing at all
	}
	reason := e.reason
	if reason == "" || !e.torn {
		reason = "the record's first sector was not written"
		e = &ending{torn: true, end: s.pos + frameBytes}
	}
	flipped, err := s.flipped(e)
	if err != nil {
		return nil, err
	}
	if flipped {
		return nil, s.corrupt(s.pos, "a flipped bit in a complete record: "+reason, remedyDamaged)
	}
	lost, err := s.lostSector(e.end)
	if err != nil {
		return nil, err
	}
	cut := e.short || last+1 < e.end
	if !cut && (!lost || last-e.end >= unsyncedBytesMax) {
		return nil, s.corrupt(s.pos, "damaged record: "+reason, remedyDamaged)
	}
	return &Torn{File: s.path, Offset: s.pos, Bytes: max(last+1-s.pos, 0), Reason: reason}, nil
}

// lastNonZero returns the offset of the last byte from off on that is not zero, or off-1.
func (s *scanner) lastNonZero(off int64) (int64, error) {
	last := off - 1
	for at := off; at < s.size; {
		b, err := s.view(at, readBytes)
		if err != nil {
			return 0, err
		}
		if len(b) == 0 {
			break
		}
		if !allZero(b) {
			i := len(b) - 1
			for b[i] == 0 {
				i--
			}
			last = at + int64(i)
		}
		at += int64(len(b))
	}
	return last, nil
}

// lostSector tells whether some sector that the record at s.pos touches reads as zeros from where the record enters it.
func (s *scanner) lostSector(end int64) (bool, error) {
	at := s.pos
	if left := vfs.SectorSize - at%vfs.SectorSize; left <= 4 && at >= HeaderBytes {
		at += left // a checksum's upper half is zero anyway
	}
	for at < min(end, s.size) {
		next := min((at/vfs.SectorSize+1)*vfs.SectorSize, s.size)
		b, err := s.view(at, int(next-at))
		if err != nil {
			return false, err
		}
		if allZero(b) {
			return true, nil
		}
		at = next
	}
	return false, nil
}

// flipped tells whether one flipped bit explains why the record at s.pos cannot be read.
func (s *scanner) flipped(e *ending) (bool, error) {
	head, err := s.view(s.pos, frameBytes)
	if err != nil || len(head) < frameBytes || s.pos < HeaderBytes {
		return false, err
	}
	sum, n := binary.BigEndian.Uint64(head), binary.BigEndian.Uint32(head[8:])
	for bit := range 31 { // in the length
		if ok, err := s.whole(sum, n^1<<bit); ok || err != nil {
			return ok, err
		}
	}
	rec, err := s.view(s.pos, int(e.end-s.pos))
	if err != nil || int64(len(rec)) < RecordBytes(int(n)) || n == 0 {
		return false, err
	}
	payload, gotMark := rec[frameBytes:frameBytes+int(n)], rec[frameBytes+int(n)]
	got := uint64(adler32.Checksum(payload))
	if got == sum { // only the mark is wrong; one that was not written is a zero, two bits away
		return bits.OnesCount8(gotMark^mark) == 1, nil
	}
	if gotMark != mark {
		return false, nil
	}
	if bits.OnesCount64(got^sum) == 1 {
		return true, nil
	}
	for _, i := range flippedPayload(payload, uint32(sum)) {
		lost, err := s.lostAt(s.pos + frameBytes + int64(i))
		if !lost || err != nil {
			return !lost, err
		}
	}
	return false, nil
}

// lostAt tells whether the sector of the byte at off reads as zeros from where the record at s.pos enters it. If the only
// bit that was ever set in it is missing, it was not written: that is far likelier than that just this bit has flipped.
func (s *scanner) lostAt(off int64) (bool, error) {
	start := off / vfs.SectorSize * vfs.SectorSize
	b, err := s.view(max(start, s.pos), int(min(start+vfs.SectorSize, s.size)-max(start, s.pos)))
	return err == nil && allZero(b), err
}

// whole tells whether a record with the given checksum and length would be valid at s.pos.
func (s *scanner) whole(sum uint64, n uint32) (bool, error) {
	if n < payloadBytesMin || n > recordBytesMax || s.pos+RecordBytes(int(n)) > s.size {
		return false, nil
	}
	end, err := s.view(s.pos+RecordBytes(int(n))-markBytes, markBytes)
	if err != nil || len(end) == 0 || end[0] != mark {
		return false, err
	}
	rec, err := s.view(s.pos, int(RecordBytes(int(n))))
	if err != nil || int64(len(rec)) < RecordBytes(int(n)) {
		return false, err
	}
	return uint64(adler32.Checksum(rec[frameBytes:frameBytes+n])) == sum, nil
}

// flippedPayload returns the bytes of which flipping one bit gives payload the checksum want. Adler-32 is two sums modulo m:
// a = 1 + Σ b[i] and b = n + Σ (n-i)·b[i], so that a change d of byte i moves them by d and (n-i)·d.
func flippedPayload(payload []byte, want uint32) (at []int) {
	const m = 65521
	got := adler32.Checksum(payload)
	da := (int(want&0xffff) - int(got&0xffff) + m) % m
	db := (int(want>>16) - int(got>>16) + m) % m
	for bit := range 8 {
		for _, d := range [2]int{1 << bit, m - 1<<bit} {
			if d != da {
				continue
			}
			set := d > m/2 // the bit is set now and was clear
			for i, x := range payload {
				if (x>>bit&1 == 1) == set && (len(payload)-i)%m*d%m == db {
					at = append(at, i)
				}
			}
		}
	}
	return at
}
