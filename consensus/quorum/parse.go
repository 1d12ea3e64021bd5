package quorum

import (
	"fmt"
	"strconv"
	"strings"

	"paddock/internal/zk"
)

// configBytesMax bounds the text of a configuration: a notification is never longer.
const configBytesMax = 512 << 10

// ParseConfig reads the text that String writes, from any server: lines in any order, of a repeated key the last
// counts, blank lines and those that begin with # or ! do not. A version that is absent is 0. Keys other than
// server.N, group.N, weight.N and version are refused, as is a text without participants.
func ParseConfig(text string) (*Config, error) {
	if len(text) > configBytesMax {
		return nil, fmt.Errorf("a configuration of %d bytes, more than %d", len(text), configBytesMax)
	}
	p := parser{weights: map[ServerID]int64{}, serverAt: map[ServerID]int{}, groupAt: map[int64]int{}}
	for n, line := range strings.Split(text, "\n") {
		if line = strings.TrimFunc(line, blank); line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value := cutProperty(line)
		if err := p.line(key, value); err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", n+1, key, err)
		}
	}
	c, err := NewConfig(p.version, p.servers, p.groups, p.weights)
	if err != nil {
		return nil, err
	}
	if len(c.voters) == 0 {
		return nil, &SyntaxError{Problem: "no participants"}
	}
	return c, nil
}

// cutProperty splits a line of a properties file: the key ends at the first =, : or blank.
func cutProperty(line string) (key, value string) {
	end := strings.IndexAny(line, "=: \t")
	if end < 0 {
		return line, ""
	}
	key, value = line[:end], strings.TrimLeft(line[end:], " \t")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = value[1:]
	}
	return key, strings.TrimFunc(value, blank)
}

// parser collects the lines of one text.
type parser struct {
	version zk.Zxid
	servers []Server
	groups  []Group
	weights map[ServerID]int64

	serverAt map[ServerID]int // index in servers
	groupAt  map[int64]int    // index in groups
}

func (p *parser) line(key, value string) error {
	if key == "version" {
		v, err := strconv.ParseInt(value, 16, 64)
		if err != nil || v < 0 {
			return &SyntaxError{Problem: fmt.Sprintf("%q is not a version", value)}
		}
		p.version = zk.Zxid(v)
		return nil
	}
	family, suffix, _ := strings.Cut(key, ".")
	id, err := strconv.ParseInt(suffix, 10, 64)
	if err != nil || id < 0 {
		return &SyntaxError{Problem: "unrecognised parameter"}
	}
	switch family {
	case "server":
		s, err := ParseServer(ServerID(id), value, true)
		if err != nil {
			return err
		}
		p.servers = put(p.servers, p.serverAt, s.ID, s)
	case "group":
		g := Group{ID: id}
		for _, text := range javaSplit(value, ":") {
			member, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return &SyntaxError{Problem: fmt.Sprintf("%q is not a server id", text)}
			}
			g.Servers = append(g.Servers, ServerID(member))
		}
		p.groups = put(p.groups, p.groupAt, id, g)
	case "weight":
		w, err := strconv.ParseInt(value, 10, 64)
		if err != nil || w < 0 || w > weightMax {
			return &SyntaxError{Problem: fmt.Sprintf("%q is not a weight", value)}
		}
		p.weights[ServerID(id)] = w
	default:
		return &SyntaxError{Problem: "unrecognised parameter"}
	}
	return nil
}

// put appends v, or lets it take the place of what has the same key.
func put[K comparable, V any](list []V, at map[K]int, key K, v V) []V {
	if i, ok := at[key]; ok {
		list[i] = v
		return list
	}
	at[key] = len(list)
	return append(list, v)
}
