package config

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// fileBytesMax bounds every file that is read here. Real ones are a few kilobytes.
const fileBytesMax = 1 << 20

// Source is everything a Config is made from. The zero Source is `paddock serve` alone: a
// standalone server with its data in ./data.
//
// Strength, strongest first: Args, the file, JVM flags. The file beats a -D word because ZooKeeper
// sets its properties from the file after Java has set them from the command line; for the few keys that ZooKeeper
// never reads from the file (jute.maxbuffer and others) the -D word beats the file.
type Source struct {
	File string   // path of zoo.cfg as the user gave it; "" for none
	Args []string // key=value words of the command line, the later the stronger; a -D in front is allowed

	ServerJVMFlags string // $SERVER_JVMFLAGS: blank-separated words, of which those beginning with -D count
	JVMFlags       string // $JVMFLAGS: the same, and stronger, since Java sees it last
	MyID           string // $PADDOCK_MYID: as the key myid, but weaker

	Dir        string       // absolute directory that relative paths start from; "" leaves them relative
	Hostname   string       // this host's name, for myid=auto and for hints; "" when unknown
	LocalAddrs []netip.Addr // this host's addresses, for hints; may be empty

	// ReadFile reads a whole file; nil means the operating system's, bounded to 1 MiB.
	ReadFile func(name string) ([]byte, error)
	// LookupHost resolves a host name where two addresses have to be compared; nil means never.
	LookupHost func(host string) ([]netip.Addr, error)
}

// FromEnvironment fills what a Source takes from environment variables: SERVER_JVMFLAGS, JVMFLAGS,
// ZOO_DATADIR_AUTOCREATE_DISABLE and PADDOCK_MYID. getenv is os.Getenv outside tests.
func (s Source) FromEnvironment(getenv func(string) string) Source {
	s.ServerJVMFlags = getenv("SERVER_JVMFLAGS")
	s.JVMFlags = getenv("JVMFLAGS")
	s.MyID = getenv("PADDOCK_MYID")
	if getenv("ZOO_DATADIR_AUTOCREATE_DISABLE") != "" {
		// zkServer.sh puts this word before all others.
		s.ServerJVMFlags = "-Dzookeeper.datadir.autocreate=false " + s.ServerJVMFlags
	}
	return s
}

// FromHost fills what a Source takes from the host: working directory, host name, addresses of the
// interfaces other than loopback, and name look-ups of at most two seconds each. What cannot be found out stays empty.
func (s Source) FromHost() Source {
	s.Dir, _ = os.Getwd()
	s.Hostname, _ = os.Hostname()
	interfaces, _ := net.InterfaceAddrs()
	for _, a := range interfaces {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() {
			s.LocalAddrs = append(s.LocalAddrs, p.Addr())
		}
	}
	s.LookupHost = func(host string) ([]netip.Addr, error) {
		ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
		defer cancel()
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	return s
}

// lookupTimeout keeps a dead name server from stopping a start.
const lookupTimeout = 2 * time.Second

// OriginKind says which kind of source a value came from. A larger one is stronger, except as Source says.
type OriginKind uint8

// Kinds of origin.
const (
	OriginDefault  OriginKind = iota // the registry's default
	OriginFlag                       // a -D word of the JVM flags
	OriginFile                       // a line of the main or the dynamic file
	OriginArgument                   // a word of the command line
	OriginDerived                    // computed from other values; Name says how
)

// Origin is where a value came from.
type Origin struct {
	Kind OriginKind
	File string // OriginFile: path as the user gave it
	Line int    // OriginFile: 1-based
	Name string // OriginFlag: the variable; OriginDerived: the reason
}

// String is "zoo.cfg:7", "-D in JVMFLAGS", "argument", "default" or the reason of a derived value.
func (o Origin) String() string {
	switch o.Kind {
	case OriginFile:
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	case OriginFlag:
		return "-D in " + o.Name
	case OriginArgument:
		return "argument"
	case OriginDerived:
		return o.Name
	default:
		return "default"
	}
}

// entry is one key and value of a source, as it was written.
type entry struct {
	key, value string
	origin     Origin
}

// flagEntries picks the -D words. Java's launcher scripts split them at blanks and know no quotes.
func flagEntries(flags, variable string) []entry {
	var out []entry
	for _, word := range strings.Fields(flags) {
		body, ok := strings.CutPrefix(word, "-D")
		if !ok {
			continue
		}
		key, value, _ := strings.Cut(body, "=")
		out = append(out, entry{key, value, Origin{Kind: OriginFlag, Name: variable}})
	}
	return out
}

// argumentEntries splits the key=value words of a command line.
func argumentEntries(args []string) ([]entry, []Problem) {
	var (
		out      []entry
		problems []Problem
	)
	for _, arg := range args {
		key, value, ok := strings.Cut(strings.TrimPrefix(arg, "-D"), "=")
		key = javaTrim(key)
		if !ok || key == "" {
			problems = append(problems, Problem{
				Problem: fmt.Sprintf("argument %q is not key=value", arg),
				Fix:     "write for example clientPort=2181, and pass the path of zoo.cfg with --config",
			})
			continue
		}
		out = append(out, entry{key, javaTrim(value), Origin{Kind: OriginArgument}})
	}
	return out, problems
}

// readFile reads a file through the source.
func (s Source) readFile(name string) ([]byte, error) {
	read := s.ReadFile
	if read == nil {
		read = readBounded
	}
	data, err := read(name)
	if err == nil && len(data) > fileBytesMax {
		err = fmt.Errorf("larger than %d bytes", fileBytesMax)
	}
	return data, err
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, fileBytesMax+1))
}
