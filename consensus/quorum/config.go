package quorum

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"paddock/internal/zk"
)

// Config is the configuration of an ensemble: its members and what makes a quorum of them. It never changes once
// made and may be shared; make it with NewConfig or ParseConfig. A nil Config has no members and no quorums.
type Config struct {
	// Version is the zxid of the txn that set it, the start of an epoch, or 0: never established.
	Version zk.Zxid
	Servers []Server // by id
	// Groups hold each voter once when quorums are majorities of groups; nil when they are majorities of voters.
	Groups []Group // by id
	// Weights has one for every voter and perhaps others; nil without Groups.
	Weights map[ServerID]int64

	voters    []ServerID
	observers []ServerID
	groups    []heavyGroup
}

// Group is a line group.ID.
type Group struct {
	ID      int64
	Servers []ServerID // ascending
}

// NewConfig makes a configuration of servers, in any order. Without groups and weights any majority of the voters
// is a quorum. With either, each voter must be in one group; those without a weight get 1. It keeps the slices in
// servers and groups. Servers without an address are allowed here, but such a configuration has no text.
func NewConfig(version zk.Zxid, servers []Server, groups []Group, weights map[ServerID]int64) (*Config, error) {
	c := &Config{Version: version, Servers: slices.Clone(servers)}
	slices.SortFunc(c.Servers, func(a, b Server) int { return compare(a.ID, b.ID) })
	for i, s := range c.Servers {
		switch {
		case i > 0 && c.Servers[i-1].ID == s.ID:
			return nil, fmt.Errorf("server %d is listed twice", s.ID)
		case s.Observer:
			c.observers = append(c.observers, s.ID)
		default:
			c.voters = append(c.voters, s.ID)
		}
	}
	if len(groups) > 0 || len(weights) > 0 {
		if err := c.setGroups(groups, weights); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func compare(a, b ServerID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// Server returns the member with an id.
func (c *Config) Server(id ServerID) (Server, bool) {
	if c == nil {
		return Server{}, false
	}
	i, ok := slices.BinarySearchFunc(c.Servers, id, func(s Server, id ServerID) int { return compare(s.ID, id) })
	if !ok {
		return Server{}, false
	}
	return c.Servers[i], true
}

// Voters are the ids of all participants, ascending. The slice must not be modified.
func (c *Config) Voters() []ServerID {
	if c == nil {
		return nil
	}
	return c.voters
}

// Observers are the ids of all observers, ascending. The slice must not be modified.
func (c *Config) Observers() []ServerID {
	if c == nil {
		return nil
	}
	return c.observers
}

// IsVoter tells whether id is a participant.
func (c *Config) IsVoter(id ServerID) bool {
	_, ok := slices.BinarySearch(c.Voters(), id)
	return ok
}

// WithVersion is the same configuration under another version.
func (c *Config) WithVersion(version zk.Zxid) *Config {
	again := *c
	again.Version = version
	return &again
}

// Equal tells whether ZooKeeper takes two configurations for one: they have the same version, or the same members
// with the same groups and weights. One with groups never equals one without.
func (c *Config) Equal(o *Config) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.Hierarchical() == o.Hierarchical() && (c.Version == o.Version || c.SameMembers(o))
}

// SameMembers tells whether the members, their addresses and roles, groups and weights agree, whatever the versions.
func (c *Config) SameMembers(o *Config) bool {
	return slices.EqualFunc(c.Servers, o.Servers, Server.Equal) &&
		slices.EqualFunc(c.Groups, o.Groups, func(a, b Group) bool { return a.ID == b.ID && slices.Equal(a.Servers, b.Servers) }) &&
		maps.Equal(c.Weights, o.Weights)
}

// String is ZooKeeper's canonical text, as notifications, NEWLEADER, /zookeeper/config and four-letter word conf show
// it: servers by id, then groups and weights, then the version in hexadecimal; no newline at the end.
func (c *Config) String() string {
	var b strings.Builder
	for _, s := range c.Servers {
		fmt.Fprintf(&b, "server.%d=%s\n", s.ID, s)
	}
	for _, g := range c.Groups {
		fmt.Fprintf(&b, "group.%d=%s\n", g.ID, joinIDs(g.Servers, ":"))
	}
	for _, id := range slices.Sorted(maps.Keys(c.Weights)) {
		fmt.Fprintf(&b, "weight.%d=%d\n", id, c.Weights[id])
	}
	fmt.Fprintf(&b, "version=%x", uint64(c.Version))
	return b.String()
}

// IDs are all members, "1,2,3".
func (c *Config) IDs() string {
	ids := make([]ServerID, len(c.Servers))
	for i, s := range c.Servers {
		ids[i] = s.ID
	}
	return joinIDs(ids, ",")
}

func joinIDs(ids []ServerID, sep string) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.FormatInt(int64(id), 10)
	}
	return strings.Join(words, sep)
}
