package quorum_test

import (
	"testing"

	"paddock/consensus/quorum"
)

func TestMajorities(t *testing.T) {
	for _, c := range []struct {
		name   string
		voters []quorum.ServerID
		have   []quorum.ServerID
		met    bool
	}{
		{"one voter is a quorum of one", []quorum.ServerID{1}, []quorum.ServerID{1}, true},
		{"nobody is no quorum", []quorum.ServerID{1}, nil, false},
		{"no voters never have a quorum", nil, nil, false},
		{"two of three", []quorum.ServerID{1, 2, 3}, []quorum.ServerID{1, 3}, true},
		{"one of three", []quorum.ServerID{1, 2, 3}, []quorum.ServerID{2}, false},
		{"two of four are not enough", []quorum.ServerID{1, 2, 3, 4}, []quorum.ServerID{1, 2}, false},
		{"those who do not vote do not count", []quorum.ServerID{1, 2, 3}, []quorum.ServerID{1, 7, 8}, false},
		{"an id given twice counts once", []quorum.ServerID{1, 1, 2, 3}, []quorum.ServerID{1, 2}, true},
	} {
		have := map[quorum.ServerID]bool{}
		for _, id := range c.have {
			have[id] = true
		}
		if got := quorum.New(c.voters...).Met(func(id quorum.ServerID) bool { return have[id] }); got != c.met {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
