//go:build chaos

package chaos

import (
	"bufio"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// apart runs the body of a test in a process that has its mounts and its network to itself: they end with it, whatever happens.
func apart(t *testing.T, body func(*testing.T)) {
	t.Helper()
	if os.Getenv(childVariable) == "apart" {
		body(t)
		return
	}
	if os.Getuid() != 0 {
		t.Fatal("this test makes networks and file systems: run it as root")
	}
	for _, tool := range [][2]string{{"ip", "iproute2"}, {"mkfs.ext4", "e2fsprogs"}, {"mount", "mount"}} {
		if _, err := exec.LookPath(tool[0]); err != nil {
			t.Fatalf("%v: install it with `apt-get install %s`", err, tool[1])
		}
	}
	_, subtests, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	args := []string{"-test.run=^" + t.Name() + "$/" + subtests, "-test.v"}
	flag.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "test.run", "test.v", "test.paniconexit0", "test.testlogfile", "test.count", "test.outputdir", "test.gocoverdir":
		default:
			args = append(args, fmt.Sprintf("-%s=%v", f.Name, f.Value))
		}
	})
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"=apart")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	runtime.LockOSThread() // the death of the thread that started it would end the process
	defer runtime.UnlockOSThread()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	in.Close()
	if err != nil {
		t.Fatalf("start a process in namespaces of its own: %v", err)
	}
	lines := bufio.NewScanner(out)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		t.Log(lines.Text())
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil {
		t.Errorf("in namespaces of its own: %v", err)
	}
}

// space is a network namespace of its own. It ends with the last process in it.
type space struct {
	calls chan func()
	gone  chan struct{}
}

// newSpace starts a thread in a new network namespace.
func newSpace() (*space, error) {
	s := &space{calls: make(chan func()), gone: make(chan struct{})}
	entered := make(chan error)
	go func() { // ends with end
		defer close(s.gone)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		entered <- syscall.Unshare(syscall.CLONE_NEWNET)
		for f := range s.calls {
			f()
		}
	}()
	if err := <-entered; err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return s, nil
}

// do runs f in the namespace. Processes that it starts stay in it, and live no longer than the space.
func (s *space) do(f func() error) (err error) {
	done := make(chan struct{})
	s.calls <- func() { err = f(); close(done) }
	<-done
	return err
}

// end waits for the thread; it must be called once.
func (s *space) end() {
	close(s.calls)
	<-s.gone
}

const (
	frameMax  = 9000 // bytes of a packet between namespaces
	clientsID = 1    // who the test itself is in the network; server 1 is memberID(0), and so on
	subnet    = "10.77.0."
)

// memberID is the last byte of a server's address.
func memberID(i int) byte { return byte(11 + i) }

// path is one direction between two hosts. The zero value delivers everything at once.
type path struct {
	cut           bool          // everything is lost, without a word to either side
	loss          float64       // part of the packets that is lost
	delay, jitter time.Duration // how long a packet takes: delay, and up to jitter more
}

// network carries packets between the test and the servers, each of which is in a namespace of its own: a switch whose
// every direction can be cut, slow or lossy. It needs no netem, iptables or bridge of the kernel.
type network struct {
	wg    sync.WaitGroup
	ports map[byte]*os.File // not changed once packets flow

	mu    sync.Mutex // guards all below
	paths map[[2]byte]path
	rng   *rand.Rand
	lost  int
	young map[conversation]bool // of learners with leaders, in which no transfer has begun
	syncs []transfer
}

// conversation is a connection to a quorum port.
type conversation struct {
	leader, learner byte
	port            [2]byte // the learner's
}

// transfer is how a leader synchronised a learner.
type transfer struct {
	leader, learner byte
	kind            string
}

func newNetwork(seed uint64) *network {
	return &network{ports: map[byte]*os.File{}, paths: map[[2]byte]path{}, young: map[conversation]bool{}, rng: rand.New(rand.NewPCG(seed, 2))}
}

// plug gives the namespace of the calling thread an address in the network.
func (n *network) plug(id byte) error {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open /dev/net/tun: %w", err)
	}
	const tun, noHeader, setInterface = 0x0001, 0x1000, 0x400454ca // IFF_TUN, IFF_NO_PI, TUNSETIFF
	var request struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], "net0")
	request.flags = tun | noHeader
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), setInterface, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errors.Join(fmt.Errorf("make a tun interface: %w", errno), syscall.Close(fd))
	}
	n.ports[id] = os.NewFile(uintptr(fd), fmt.Sprint("tun ", id))
	for _, line := range []string{"link set lo up", fmt.Sprintf("link set net0 mtu %d up", frameMax), fmt.Sprintf("addr add %s%d/24 dev net0", subnet, id)} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// run lets packets flow until end.
func (n *network) run() {
	for _, p := range n.ports {
		n.wg.Go(func() { // end waits for it
			frame := make([]byte, frameMax+100)
			for {
				size, err := p.Read(frame)
				if err != nil {
					return
				}
				n.carry(frame[:size])
			}
		})
	}
}

// carry takes one packet where it should go.
func (n *network) carry(frame []byte) {
	const addressEnd = 20 // IPv4: the source address ends at 16, the destination at 20
	if len(frame) < addressEnd || frame[0]>>4 != 4 {
		return
	}
	from, to := frame[15], frame[19]
	out := n.ports[to]
	if out == nil {
		return
	}
	n.mu.Lock()
	p := n.paths[[2]byte{from, to}]
	lost := p.cut || p.loss > 0 && n.rng.Float64() < p.loss
	wait := p.delay
	if p.jitter > 0 {
		wait += time.Duration(n.rng.Int64N(int64(p.jitter)))
	}
	if lost {
		n.lost++
	}
	if !lost {
		n.overhear(frame)
	}
	n.mu.Unlock()
	if lost {
		return
	}
	if wait == 0 {
		out.Write(frame) //nolint:errcheck // the network is allowed to lose packets
		return
	}
	late := append([]byte(nil), frame...)
	time.AfterFunc(wait, func() { out.Write(late) }) //nolint:errcheck // as above
}

const (
	quorumPort   = 2888
	electionPort = 3888
)

// kinds are the quorum packets with which a leader says what it will send, by the lowest byte of their type.
var kinds = map[byte]string{13: "DIFF", 14: "TRUNC", 15: "SNAP"}

// overhear notes how leaders synchronise learners: the first packet of one of the kinds in a conversation. Such a packet is a type, a zxid
// and two lengths of -1.
func (n *network) overhear(frame []byte) {
	const tcp, syn, packet = 6, 2, 20
	head := int(frame[0]&15) * 4
	if frame[9] != tcp || len(frame) < head+20 {
		return
	}
	segment := frame[head:]
	switch quorumPort {
	case int(binary.BigEndian.Uint16(segment[2:])):
		if segment[13]&syn != 0 {
			n.young[conversation{frame[19], frame[15], [2]byte(segment)}] = true
		}
	case int(binary.BigEndian.Uint16(segment)):
		c := conversation{frame[15], frame[19], [2]byte(segment[2:])}
		data := segment[segment[12]>>4*4:]
		for i := 0; n.young[c] && i+packet <= len(data); i++ {
			kind := kinds[data[i+3]]
			if kind != "" && data[i]|data[i+1]|data[i+2] == 0 && binary.BigEndian.Uint64(data[i+12:]) == 1<<64-1 {
				delete(n.young, c)
				n.syncs = append(n.syncs, transfer{c.leader, c.learner, kind})
			}
		}
	}
}

// overheard returns the transfers since it was last called.
func (n *network) overheard() []transfer {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.syncs
	n.syncs = nil
	return list
}

// set changes the direction from one host to another.
func (n *network) set(from, to byte, p path) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paths[[2]byte{from, to}] = p
}

// between changes both directions.
func (n *network) between(a, b byte, p path) {
	n.set(a, b, p)
	n.set(b, a, p)
}

// heal makes all directions what they were.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.paths)
}

// dropped is how many packets did not arrive.
func (n *network) dropped() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lost
}

// end stops the network.
func (n *network) end() {
	for _, p := range n.ports {
		p.Close()
	}
	n.wg.Wait()
}
