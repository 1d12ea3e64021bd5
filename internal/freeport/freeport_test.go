package freeport

import (
	"fmt"
	"net"
	"testing"
)

func TestNoPortIsGivenTwiceOrTaken(t *testing.T) {
	next := first + int((given.Load()+1)%count)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", next))
	if err == nil {
		defer l.Close()
	} // else somebody else has it, which serves as well
	seen := map[int]bool{next: true}
	for range 1000 {
		port := Take(t)
		if seen[port] || port < first || port >= first+count {
			t.Fatal(port)
		}
		seen[port] = true
	}
}
