package quorum

import (
	"fmt"
	"maps"
	"slices"
)

// weightMax bounds one weight, so that no sum of them can overflow.
const weightMax = 1 << 31

// heavyGroup is a group as counting needs it: without those whose weight is 0, and only if anything is left.
type heavyGroup struct {
	total   int64 // of all listed servers
	voters  []ServerID
	weights []int64 // of voters
}

// Hierarchical tells whether quorums are majorities of groups.
func (c *Config) Hierarchical() bool { return c != nil && c.Weights != nil }

// setGroups checks and keeps groups and weights.
func (c *Config) setGroups(groups []Group, weights map[ServerID]int64) error {
	c.Groups = slices.Clone(groups)
	slices.SortFunc(c.Groups, func(a, b Group) int { return compare(ServerID(a.ID), ServerID(b.ID)) })
	c.Weights = maps.Clone(weights)
	if c.Weights == nil {
		c.Weights = map[ServerID]int64{}
	}
	for _, id := range c.voters {
		if _, ok := c.Weights[id]; !ok {
			c.Weights[id] = 1
		}
	}
	of := map[ServerID]bool{}
	for i, g := range c.Groups {
		if i > 0 && c.Groups[i-1].ID == g.ID {
			return fmt.Errorf("group %d is listed twice", g.ID)
		}
		g.Servers = slices.Sorted(slices.Values(g.Servers))
		c.Groups[i] = g
		if err := c.addGroup(g, of); err != nil {
			return err
		}
	}
	for _, id := range c.voters {
		if !of[id] {
			return fmt.Errorf("server %d is not in a group", id)
		}
	}
	return nil
}

// addGroup prepares one group for counting. of holds the servers seen in a group.
func (c *Config) addGroup(g Group, of map[ServerID]bool) error {
	var h heavyGroup
	for _, id := range g.Servers {
		w, ok := c.Weights[id]
		switch {
		case of[id]:
			return fmt.Errorf("server %d is in multiple groups", id)
		case !ok:
			return fmt.Errorf("server %d of group %d is not a participant", id, g.ID)
		case w < 0 || w > weightMax:
			return fmt.Errorf("server %d has weight %d", id, w)
		}
		of[id] = true
		h.total += w
		if c.IsVoter(id) {
			h.voters, h.weights = append(h.voters, id), append(h.weights, w)
		}
	}
	if h.total > 0 {
		c.groups = append(c.groups, h)
	}
	return nil
}

// Weight is what the vote of a server weighs: 1 without groups, whoever it is. Nobody votes for a server of weight 0.
func (c *Config) Weight(id ServerID) int64 {
	if !c.Hierarchical() {
		return 1
	}
	return c.Weights[id]
}

// Met tells whether the voters for which has is true are a quorum: more than half of them; or, with groups, more
// than half the weight in more than half of the groups that weigh anything. It asks about voters only, and
// allocates nothing.
func (c *Config) Met(has func(ServerID) bool) bool {
	if c == nil {
		return false
	}
	if !c.Hierarchical() {
		return majority(c.voters, has)
	}
	met := 0
	for _, g := range c.groups {
		var acked int64
		for i, id := range g.voters {
			if has(id) {
				acked += g.weights[i]
			}
		}
		if acked > g.total/2 {
			met++
		}
	}
	return len(c.groups) > 0 && met > len(c.groups)/2
}

// AllMet tells whether has is a quorum of each configuration: what a decision needs while one follows another. nil
// configurations are passed over; without any other it is false.
func AllMet(has func(ServerID) bool, configs ...*Config) bool {
	asked := false
	for _, c := range configs {
		if c == nil {
			continue
		}
		if !c.Met(has) {
			return false
		}
		asked = true
	}
	return asked
}
