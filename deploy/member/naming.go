package main

import (
	"fmt"
	"strconv"
	"strings"

	"paddock/consensus/quorum"
)

const memberUsage = "a member as zoo.cfg has it, with %d for the ordinal: name-%d.domain:2888:3888;2181"

// naming is how a member is written, with %d for the ordinal of its pod.
type naming string

// Set implements flag.Value.
func (n *naming) Set(text string) error {
	_, err := naming(text).server(1, false)
	*n = naming(text)
	return err
}

// String implements flag.Value.
func (n *naming) String() string { return string(*n) }

// server is the member with an id.
func (n naming) server(id quorum.ServerID, observer bool) (quorum.Server, error) {
	text := strings.ReplaceAll(string(n), "%d", strconv.FormatInt(int64(id)-1, 10))
	if text == string(n) || strings.Contains(text, "%") {
		return quorum.Server{}, fmt.Errorf("%q needs %%d, for the ordinal, and no other %%", string(n))
	}
	s, err := quorum.ParseServer(id, text, false)
	if err != nil {
		return s, fmt.Errorf("member %q: %w", string(n), err)
	}
	if s.Client.Port == 0 {
		return s, fmt.Errorf("member %q: has no client port, add ;2181", string(n))
	}
	s.Observer = observer
	return s, nil
}

// first are the voters 1 to n.
func (n naming) first(count int) ([]quorum.Server, error) {
	var all []quorum.Server
	for id := range count {
		s, err := n.server(quorum.ServerID(id+1), false)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// idOf is the id of the pod with a name.
func idOf(hostname string) (quorum.ServerID, error) {
	name, _, _ := strings.Cut(hostname, ".")
	i := strings.LastIndexByte(name, '-')
	ordinal, err := strconv.ParseInt(name[i+1:], 10, 32)
	if i < 0 || err != nil || ordinal < 0 {
		return 0, fmt.Errorf("host name %q does not end in -<ordinal>", hostname)
	}
	return quorum.ServerID(ordinal + 1), nil
}
