package zk

import "strings"

// The znodes that every tree has.
const (
	RootPath   = "/"
	SystemPath = "/zookeeper"
	QuotaPath  = "/zookeeper/quota"
	ConfigPath = "/zookeeper/config"
)

// PathProblem says what is wrong with a path a client sent, or "" if a znode may have it. Source: the
// checks of ZooKeeper's path validation, which looks at UTF-16 units: characters outside the basic plane
// are surrogates to it, and bytes that are not UTF-8 read as U+FFFD, so both are refused.
func PathProblem(p string) string {
	switch {
	case p == "":
		return "path is empty"
	case p[0] != '/':
		return "path does not start with /"
	case len(p) == 1:
		return ""
	case p[len(p)-1] == '/':
		return "path ends with /"
	}
	if plain(p) {
		return ""
	}
	for i, r := range p {
		if i == 0 {
			continue
		}
		switch {
		case r == 0:
			return "path has a null character"
		case r == '/' && p[i-1] == '/':
			return "path has an empty element"
		case r == '.' && dots(p, i):
			return "path has a relative element"
		case r <= 0x1f, r >= 0x7f && r <= 0x9f, r >= 0xd800 && r <= 0xf8ff, r >= 0xfff0:
			return "path has a character that is not allowed"
		}
	}
	return ""
}

// ValidPath tells whether a znode may have the path p.
func ValidPath(p string) bool { return PathProblem(p) == "" }

// plain is the quick yes for printable ASCII without empty or dotted elements.
func plain(p string) bool {
	prev := byte(0)
	for i := 0; i < len(p); i++ {
		b := p[i]
		if b < 0x20 || b >= 0x7f || prev == '/' && (b == '/' || b == '.') {
			return false
		}
		prev = b
	}
	return true
}

// dots tells whether the element of p that starts at or just before i is exactly "." or "..".
func dots(p string, i int) bool {
	start := strings.LastIndexByte(p[:i], '/') + 1
	elem := p[start:]
	if end := strings.IndexByte(elem, '/'); end >= 0 {
		elem = elem[:end]
	}
	return elem == "." || elem == ".."
}

// ParentPath is the text before the last slash: "" for top-level znodes, which addresses the root.
func ParentPath(p string) string {
	if i := strings.LastIndexByte(p, '/'); i > 0 {
		return p[:i]
	}
	return ""
}

// BaseName is the text after the last slash.
func BaseName(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }
