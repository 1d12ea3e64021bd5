package survey

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"paddock/consensus/quorum"
)

// Level is how much a finding matters.
type Level string

// The levels, from what is only to be known to what stands in the way.
const (
	Note Level = "note"
	Warn Level = "warn" // look at it before you begin
	Stop Level = "stop" // do not begin
)

// Finding is one thing to know.
type Finding struct {
	Level  Level  `json:"level"`
	Server string `json:"server,omitempty"` // address, if it is about one
	Text   string `json:"text"`
}

// Report is the judgement of an ensemble.
type Report struct {
	Servers  []*Server `json:"servers"`
	Data     *Data     `json:"data,omitempty"`
	Findings []Finding `json:"findings"`
	Steps    []string  `json:"steps"` // what to do, in order
}

// Code is the exit code: 0 nothing to look at, 1 warnings, 2 something stands in the way.
func (r *Report) Code() int {
	code := 0
	for _, f := range r.Findings {
		switch f.Level {
		case Warn:
			code = max(code, 1)
		case Stop:
			code = 2
		}
	}
	return code
}

// Examine judges what servers have said; data may be nil.
func Examine(servers []*Server, data *Data) *Report {
	r := &Report{Servers: servers, Data: data, Findings: []Finding{}, Steps: []string{}}
	var answered []*Server
	for _, s := range servers {
		if s.Problem != "" {
			r.add(Stop, s, "%s; all members must serve before one is replaced", s.Problem)
			continue
		}
		answered = append(answered, s)
		r.version(s)
		r.refused(s)
		r.features(s)
	}
	r.modes(answered)
	r.members(answered)
	r.histories(answered)
	if data != nil {
		r.data(data)
	} else {
		r.add(Note, nil, "not known without --data-dir: TTL and container znodes, the largest znode, schemes of access lists, sizes of files")
	}
	r.plan(answered)
	return r
}

func (r *Report) add(level Level, s *Server, format string, args ...any) {
	f := Finding{Level: level, Text: fmt.Sprintf(format, args...)}
	if s != nil {
		f.Server = s.Address
	}
	r.Findings = append(r.Findings, f)
}

// version looks whether Paddock and the server understand each other.
func (r *Report) version(s *Server) {
	major, rest, _ := strings.Cut(s.Version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	switch {
	case errA != nil || errB != nil:
		r.add(Warn, s, "its version, %q, is not understood", s.Version)
	case a < 3 || a == 3 && b < 5:
		r.add(Stop, s, "ZooKeeper %s is older than 3.5 and cannot be in one ensemble with Paddock; upgrade it, or stop all servers and use paddock migrate import", s.Version)
	case a > 3 || b > 9:
		r.add(Warn, s, "ZooKeeper %s is newer than those that mixed ensembles were tested with, 3.5 to 3.9", s.Version)
	}
}

// refused says what is not known for want of a word.
func (r *Report) refused(s *Server) {
	if len(s.Refused) == 0 {
		return
	}
	what := map[string]string{"mntr": "whether followers are in sync, digests that differ, local sessions", "conf": "members, ports, timeouts",
		"hash": "the digests of its tree"}
	var unknown []string
	level := Note
	for _, w := range s.Refused {
		unknown = append(unknown, w+" ("+what[w]+")")
		if w != "hash" {
			level = Warn
		}
	}
	r.add(level, s, "does not answer %s; to have it examined put 4lw.commands.whitelist=srvr,mntr,conf,hash into its zoo.cfg and restart it",
		strings.Join(unknown, ", "))
}

// features looks for what Paddock does not have.
func (r *Report) features(s *Server) {
	if port := s.Conf["secureClientPort"]; port != "" && port != "-1" {
		r.add(Warn, s, "clients use TLS on port %s; put the ssl.* settings that ZooKeeper was given with -D into zoo.cfg; x509 identities are not judged in this version of Paddock", port)
	}
	if n, _ := s.number("ensemble_auth_success"); n > 0 {
		r.add(Stop, s, "servers authenticate to each other with SASL (quorum.auth.enableSasl), which this version of Paddock does not have")
	}
	if n, _ := s.number("local_sessions"); n > 0 {
		r.add(Warn, s, "%d local sessions; keep localSessionsEnabled=true in the file that Paddock reads", n)
	}
	if n, _ := s.number("digest_mismatches_count"); n > 0 {
		r.add(Stop, s, "the digest of its tree has differed from the leader's %d times; move its version-2 away and let it synchronise, before anything else", n)
	}
	if n, _ := s.number("outstanding_requests"); n > outstandingMax {
		r.add(Warn, s, "%d requests are waiting; begin when it is quieter", n)
	}
	if n, known := s.number("max_client_response_size"); known && n > frameBytes {
		r.add(Warn, s, "an answer had %d bytes; if jute.maxbuffer was raised with -D, write it into zoo.cfg, where Paddock reads it", n)
	}
}

const (
	outstandingMax = 1000
	frameBytes     = 1 << 20 // what jute.maxbuffer is unless it is set
)

// modes looks for one leader.
func (r *Report) modes(list []*Server) {
	leaders := ofMode(list, "leader")
	alone := ofMode(list, "standalone")
	switch {
	case len(list) == 0:
	case len(alone) == 1 && len(list) == 1:
		r.add(Note, nil, "one server on its own: stop it, and start Paddock on the same directory")
	case len(alone) > 0:
		r.add(Stop, alone[0], "it is standalone, and others were named with it; they are no ensemble")
	case len(leaders) == 0:
		r.add(Stop, nil, "none of the servers leads; name all members, or find out why there is no leader")
	case len(leaders) > 1:
		r.add(Stop, leaders[1], "leads too; these are members of different ensembles")
	}
	for _, s := range ofMode(list, "read-only") {
		r.add(Stop, s, "is cut off from the others (read-only mode)")
	}
	versions := map[string]bool{}
	for _, s := range list {
		number, _, _ := strings.Cut(s.Version, "-") // Paddock says which ZooKeeper it stands for
		versions[number] = true
	}
	if len(versions) > 1 {
		r.add(Warn, nil, "the servers have %d different versions; finish that upgrade first, or know why", len(versions))
	}
}

func ofMode(list []*Server, mode string) (out []*Server) {
	for _, s := range list {
		if s.Mode == mode {
			out = append(out, s)
		}
	}
	return out
}

// members compares the configurations with each other and with who was asked.
func (r *Report) members(list []*Server) {
	var first *quorum.Config
	for _, s := range list {
		if s.Members == "" || s.Mode == "standalone" {
			continue
		}
		c, err := quorum.ParseConfig(s.Members)
		if err != nil {
			r.add(Warn, s, "its configuration is not understood: %v", err)
			continue
		}
		if first == nil {
			first = c
			r.configuration(c, list)
		} else if !sameVoters(c, first) {
			r.add(Stop, s, "its configuration names other voters than the first server's; make all files agree, and restart")
		} else if !c.SameMembers(first) {
			r.add(Note, s, "its configuration names other observers than the first server's")
		}
	}
}

// sameVoters tells whether the same servers vote, at the same addresses. An observer may be known to itself alone.
func sameVoters(a, b *quorum.Config) bool {
	if !slices.Equal(a.Voters(), b.Voters()) {
		return false
	}
	for _, id := range a.Voters() {
		x, _ := a.Server(id)
		y, _ := b.Server(id)
		if !slices.Equal(x.Addresses, y.Addresses) || a.Weight(id) != b.Weight(id) {
			return false
		}
	}
	return true
}

// configuration judges the ensemble as its members are told of it.
func (r *Report) configuration(c *quorum.Config, list []*Server) {
	voters := len(c.Voters())
	if voters < 3 {
		r.add(Warn, nil, "%d voters: while one is replaced there is no quorum, and no client is served", voters)
	}
	if c.Version != 0 {
		r.add(Note, nil, "the configuration has version %v: if it is in a file of its own (dynamicConfigFile), Paddock reads and writes the same file", c.Version)
	}
	if c.Hierarchical() {
		r.add(Note, nil, "there are groups and weights: replace members so that each group keeps its majority")
	}
	asked := map[quorum.ServerID]bool{}
	known := true
	for _, s := range list {
		asked[quorum.ServerID(s.ID)] = true
		known = known && s.ID >= 0
	}
	if !known {
		return
	}
	for _, s := range c.Servers {
		if !asked[s.ID] {
			r.add(Warn, nil, "server.%d (%s) is a member and was not asked, or did not answer; name its client address too", s.ID, s.Addresses[0].Host)
		}
	}
	for _, l := range ofMode(list, "leader") {
		if n, known := l.number("synced_followers"); known && int(n) < voters-1 {
			r.add(Stop, l, "only %d of %d followers are in sync; wait until all are, since each replacement leaves one fewer", n, voters-1)
		}
	}
}

// histories compares zxids and digests.
//
// In a new epoch a leader shows the zxid with which it begins, and its followers may go on to show the last that was written, until somebody
// writes, which on an ensemble with little to do can be for ever. So they are compared with the newest zxid of a transaction. Whether they have
// all that the leader has is known from its count of followers in sync.
func (r *Report) histories(list []*Server) {
	if len(list) < 2 {
		return
	}
	newest := &Server{}
	for _, s := range list {
		if s.Zxid > newest.Zxid && s.Zxid.Counter() != 0 {
			newest = s
		}
	}
	for _, s := range list {
		if behind := newest.Zxid - s.Zxid; behind > behindMax || behind > 0 && s.Zxid.Epoch() != newest.Zxid.Epoch() {
			r.add(Warn, s, "it is at %v where %s is at %v; wait until it has caught up", s.Zxid, newest.Address, newest.Zxid)
		}
	}
	common := 0
	for _, s := range list[1:] {
		for z, digest := range s.Digests {
			if other, both := list[0].Digests[z]; both {
				common++
				if other != digest {
					r.add(Stop, s, "its tree differs from that of %s: other digests at %v; find out which is right before anything else", list[0].Address, z)
					break
				}
			}
		}
	}
	if common > 0 {
		r.add(Note, nil, "%d digests of trees were compared", common)
	}
}

// behindMax is how many txns a server may be behind: they are asked one after the other.
const behindMax = 10_000

// data judges what a directory holds.
func (r *Report) data(d *Data) {
	if d.Snapshot == "" {
		r.add(Stop, nil, "%s has no whole snapshot", d.Dir)
		return
	}
	r.add(Note, nil, "%s: %d znodes (%d ephemeral, %d containers, %d with a TTL), %d sessions; %d snapshots (%d bytes), %d logs (%d bytes)", d.Dir,
		d.Znodes, d.Ephemerals, d.Containers, d.TTLs, d.Sessions, d.Snapshots, d.SnapshotBytes, d.Logs, d.LogBytes)
	if d.TTLs > 0 {
		r.add(Warn, nil, "there are TTL znodes: if extended types were switched on with -D, write extendedTypesEnabled=true into zoo.cfg, where Paddock reads it")
	}
	if d.LargestBytes > frameBytes {
		r.add(Warn, nil, "%s has %d bytes: jute.maxbuffer was raised; write it into zoo.cfg, where Paddock reads it", d.Largest, d.LargestBytes)
	}
	for _, scheme := range d.Schemes {
		if scheme == "sasl" || scheme == "x509" {
			r.add(Stop, nil, "access lists name %s identities, which no client can have with this version of Paddock", scheme)
		}
	}
	if d.Sessions > 0 && d.TimeoutMinMS < shortTimeoutMS {
		r.add(Warn, nil, "the shortest session timeout is %d ms: such a session may expire while its client looks for another server", d.TimeoutMinMS)
	}
}

const shortTimeoutMS = 4000

// plan is the rolling replacement: followers and observers first, the leader last.
func (r *Report) plan(list []*Server) {
	if r.Code() == 2 {
		r.Steps = append(r.Steps, "see to what stands in the way, then check again")
		return
	}
	list = slices.Clone(list)
	rank := map[string]int{"observer": 0, "follower": 1, "leader": 2}
	slices.SortStableFunc(list, func(a, b *Server) int { return rank[a.Mode] - rank[b.Mode] })
	r.Steps = append(r.Steps, "write settings that ZooKeeper has from its command line (-Djute.maxbuffer, -Dzookeeper.…) into each zoo.cfg")
	for _, s := range list {
		name := s.Address
		if s.ID >= 0 {
			name = fmt.Sprintf("server %d (%s)", s.ID, s.Address)
		}
		r.Steps = append(r.Steps, fmt.Sprintf("%s, %s: stop ZooKeeper, start paddock serve with the same zoo.cfg as the same user, "+
			"then run this check again before the next", name, s.Mode))
	}
}
