package freeport

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// several is more than a block has.
const several = 3 * size

// TestNoPortIsGivenTwiceOrTaken in this process and two others at a time, which is what this binary is if it is asked for ports.
func TestNoPortIsGivenTwiceOrTaken(t *testing.T) {
	const ask = "PADDOCK_FREEPORT_ASKED"
	take := func() string {
		var text strings.Builder
		for range several {
			text.WriteString(strconv.Itoa(Take(t)) + " ")
		}
		return text.String()
	}
	if os.Getenv(ask) != "" {
		os.Stdout.WriteString(take() + "\n")
		os.Stdin.Read(make([]byte, 1)) // it holds them until its input ends
		return
	}
	Take(t)
	taken := next
	if l, err := listen(taken); err == nil {
		defer l.Close()
	} // else somebody else has it, which serves as well
	given := []string{take()}
	for range 2 {
		other := exec.Command(os.Args[0], "-test.run=^TestNoPortIsGivenTwiceOrTaken$")
		other.Env = append(os.Environ(), ask+"=yes")
		in, err := other.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := other.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		defer other.Wait()
		defer in.Close()
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		given = append(given, line)
	}
	seen := map[string]bool{strconv.Itoa(taken): true}
	for _, port := range strings.Fields(strings.Join(given, "")) {
		if n, err := strconv.Atoi(port); err != nil || seen[port] || n <= first || n >= first+blocks*size || (n-first)%size == 0 {
			t.Fatal(port, err)
		}
		seen[port] = true
	}
	if len(seen) != 3*several+1 {
		t.Fatal(len(seen))
	}
}
