package gateway

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	paddockv1 "paddock/gen/paddock/v1"
)

// query is what stands behind the question mark.
type query struct{ url.Values }

// flag is a switch: absent, empty (which is on), true or false.
func (q query) flag(key string) (bool, error) {
	if !q.Has(key) {
		return false, nil
	}
	on, err := strconv.ParseBool(cmp.Or(q.Get(key), "true"))
	if err != nil {
		return false, invalid(key + " must be true or false")
	}
	return on, nil
}

// number is a decimal number, 0 if absent.
func (q query) number(key string) (int64, error) {
	if !q.Has(key) {
		return 0, nil
	}
	n, err := strconv.ParseInt(q.Get(key), 10, 64)
	if err != nil {
		return 0, invalid(key + " must be a number")
	}
	return n, nil
}

// zxid is a decimal or 0x hexadecimal number, 0 if absent.
func (q query) zxid(key string) (uint64, error) {
	if !q.Has(key) {
		return 0, nil
	}
	return parseZxid(key, q.Get(key))
}

func parseZxid(key, text string) (uint64, error) {
	z, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return 0, invalid(key + " must be a zxid, decimal or 0x and hexadecimal")
	}
	return z, nil
}

// version is the expected version; nil for any.
func (q query) version() (*int32, error) {
	if !q.Has("version") {
		return nil, nil
	}
	n, err := strconv.ParseInt(q.Get("version"), 10, 32)
	if err != nil || n < 0 {
		return nil, invalid("version must be a number from 0 to 2147483647")
	}
	v := int32(n)
	return &v, nil
}

// read is how fresh an answer must be: level=local|synced|linearizable, minZxid.
func (q query) read() (*paddockv1.ReadOptions, error) {
	o := &paddockv1.ReadOptions{}
	switch strings.TrimPrefix(strings.ToLower(q.Get("level")), "read_level_") {
	case "", "unspecified":
	case "local":
		o.Level = paddockv1.ReadLevel_READ_LEVEL_LOCAL
	case "synced":
		o.Level = paddockv1.ReadLevel_READ_LEVEL_SYNCED
	case "linearizable":
		o.Level = paddockv1.ReadLevel_READ_LEVEL_LINEARIZABLE
	default:
		return nil, invalid("level must be local, synced or linearizable")
	}
	var err error
	o.MinZxid, err = q.zxid("minZxid")
	return o, err
}

// modes are shorter names of kinds of znodes than the contract's, in which they are.
var modes = map[string]paddockv1.CreateMode{
	"SEQUENTIAL":     paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL,
	"TTL":            paddockv1.CreateMode_CREATE_MODE_PERSISTENT_WITH_TTL,
	"TTL_SEQUENTIAL": paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL,
}

// mode is the kind of znode to create: a name of modes, or the contract's, with or without what its names begin with, in capitals or
// not, with dashes or underscores.
func (q query) mode() (paddockv1.CreateMode, error) {
	name := q.Get("mode")
	if name == "" {
		return paddockv1.CreateMode_CREATE_MODE_PERSISTENT, nil
	}
	name = strings.TrimPrefix(strings.ReplaceAll(strings.ToUpper(name), "-", "_"), "CREATE_MODE_")
	if m, ok := modes[name]; ok {
		return m, nil
	}
	if m, ok := paddockv1.CreateMode_value["CREATE_MODE_"+name]; ok {
		return paddockv1.CreateMode(m), nil
	}
	return 0, invalid("mode must be persistent, sequential (persistent-sequential), ephemeral, ephemeral-sequential, container, ttl (persistent-with-ttl) or " +
		"ttl-sequential (persistent-sequential-with-ttl)")
}

// permissions are the letters of zkCli.
var permissions = map[rune]paddockv1.Permission{
	'r': paddockv1.Permission_PERMISSION_READ, 'w': paddockv1.Permission_PERMISSION_WRITE, 'c': paddockv1.Permission_PERMISSION_CREATE,
	'd': paddockv1.Permission_PERMISSION_DELETE, 'a': paddockv1.Permission_PERMISSION_ADMIN,
}

// acl is an access list in zkCli's form: scheme:id:cdrwa, separated by commas. The id may have colons.
func (q query) acl() ([]*paddockv1.Acl, error) {
	if q.Get("acl") == "" {
		return nil, nil
	}
	var list []*paddockv1.Acl
	for _, entry := range strings.Split(q.Get("acl"), ",") {
		scheme, rest, ok := strings.Cut(entry, ":")
		at := strings.LastIndexByte(rest, ':')
		if !ok || at < 0 {
			return nil, invalid("acl " + strconv.Quote(entry) + " is not of the form scheme:id:permissions")
		}
		a := &paddockv1.Acl{Scheme: scheme, Id: rest[:at]}
		for _, letter := range rest[at+1:] {
			p, known := permissions[letter]
			if !known {
				return nil, invalid("permissions of an acl are letters of cdrwa, not " + strconv.Quote(string(letter)))
			}
			a.Permissions = append(a.Permissions, p)
		}
		list = append(list, a)
	}
	return list, nil
}
