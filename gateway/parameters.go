package gateway

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"paddock/internal/typo"
)

// What a query may say of a znode, by what is done.
var (
	takenByGet    = []string{"level", "minZxid", "stat", "watch"}
	takenByEvents = []string{"watch", "data", "previous", "acl", "after"}
	takenByPut    = []string{"parents", "acl", "version", "minZxid", "idempotencyKey"}
	takenByPost   = []string{"mode", "ttlMs", "parents", "ifAbsent", "acl", "minZxid", "idempotencyKey"}
	takenByDelete = []string{"version", "recursive", "limit", "minZxid", "idempotencyKey"}
)

// only is the query by the names that are taken. It refuses any other, as what it was meant to do would not be done, and any
// that is there twice.
func (q query) only(taken []string) (query, error) {
	if len(q.Values) == 0 {
		return q, nil
	}
	out := url.Values{}
	for _, key := range slices.Sorted(maps.Keys(q.Values)) {
		name := strings.TrimPrefix(strings.TrimPrefix(camel(key), "read."), "options.") // as the contract has it
		if !slices.Contains(taken, name) {
			return query{}, unknownParameter(key, taken)
		}
		out[name] = append(out[name], q.Values[key]...)
		if len(out[name]) > 1 {
			return query{}, invalid(name + " is there more than once")
		}
	}
	return query{out}, nil
}

// unknownParameter is the refusal of a name that is none of those taken.
func unknownParameter(key string, taken []string) error {
	if len(taken) == 0 {
		return invalid(fmt.Sprintf("%.60q is not known: this request takes no parameters in its query; /openapi.json lists what it takes", key))
	}
	text := fmt.Sprintf("%.60q is no parameter of this request", key)
	full := map[string]string{} // by a name, or what is behind its dot: filter.prefix by prefix
	for _, name := range taken {
		full[name], full[name[strings.IndexByte(name, '.')+1:]] = name, name
	}
	near := full[typo.Nearest(camel(key), slices.Values(slices.Sorted(maps.Keys(full))))]
	if near != "" {
		text += ", did you mean " + near + "?"
	} else {
		text += "."
	}
	return invalid(text + " It takes " + strings.Join(taken, ", "))
}

// camel is a name as JSON has it, of one with underscores.
func camel(name string) string {
	var b strings.Builder
	up := false
	for _, r := range name {
		switch {
		case r == '_':
			up = true
			continue
		case up:
			r = unicode.ToUpper(r)
		}
		up = false
		b.WriteRune(r)
	}
	return b.String()
}

// parameters are what may stand in the query of each route that is generated from the contract, by method and pattern.
type parameters map[string][]parameter

// parameter is a field of a message, by its name in JSON.
type parameter struct {
	name  string
	field protoreflect.FieldDescriptor
}

// capture is a variable of a pattern that stands for one element of a path.
var capture = regexp.MustCompile(`\{(\w+)\}`)

// parametersOf are those of all services of the files.
func parametersOf(files ...protoreflect.FileDescriptor) parameters {
	p := parameters{}
	for _, file := range files {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				rule, ok := proto.GetExtension(methods.Get(j).Options(), annotations.E_Http).(*annotations.HttpRule)
				if !ok || rule == nil {
					continue
				}
				method, pattern := verb(rule)
				pattern = capture.ReplaceAllString(pattern, "{$1=*}")
				p[method+" "+pattern] = []parameter{}
				if rule.GetBody() != "*" {
					p[method+" "+pattern] = fields(methods.Get(j).Input(), "", func(name string) bool {
						return name == rule.GetBody() || strings.Contains(pattern, "{"+name+"=")
					})
				}
			}
		}
	}
	return p
}

// allowed are the methods that there are for a path, in their order; none for a path that there is not.
func (p parameters) allowed(path string) (methods []string) {
	for route := range p {
		method, pattern, _ := strings.Cut(route, " ")
		if matchesPattern(pattern, path) && !slices.Contains(methods, method) {
			methods = append(methods, method)
		}
	}
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	if methods != nil {
		methods = append(methods, http.MethodOptions)
	}
	slices.Sort(methods)
	return methods
}

// matchesPattern tells whether a path is one of a pattern, whose variables stand for one element or, at the end, for any number.
func matchesPattern(pattern, path string) bool {
	if i := strings.Index(pattern, "{"); i >= 0 && strings.HasSuffix(pattern, "=**}") {
		return strings.HasPrefix(path, pattern[:i])
	}
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, have, func(w, h string) bool { return w == h || strings.HasPrefix(w, "{") && h != "" })
}

// trees are the routes that stand for the root where they are not followed by a path.
var trees = []string{"/v1/children", "/v1/tree", "/v1/count", "/v1/acls"}

// routed hands what is under /v1 to its routes, paths as they are, and says which methods there are for one.
func (p parameters) routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(trees, r.URL.Path) {
			again, u := *r, *r.URL
			u.Path, u.RawPath = u.Path+"/", ""
			again.URL, r = &u, &again
		}
		if methods := p.allowed(r.URL.Path); methods != nil && !slices.Contains(methods, r.Method) || r.Method == http.MethodOptions && methods != nil {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			if r.Method == http.MethodOptions {
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// verb is the method of a rule, and its pattern.
func verb(rule *annotations.HttpRule) (method, pattern string) {
	switch {
	case rule.GetGet() != "":
		return http.MethodGet, rule.GetGet()
	case rule.GetPut() != "":
		return http.MethodPut, rule.GetPut()
	case rule.GetPost() != "":
		return http.MethodPost, rule.GetPost()
	case rule.GetDelete() != "":
		return http.MethodDelete, rule.GetDelete()
	}
	return http.MethodPatch, rule.GetPatch()
}

// fields are a message's fields, those of messages in it behind a dot, but for those of its own that are elsewhere. Messages of a
// list cannot be said in a query.
func fields(m protoreflect.MessageDescriptor, prefix string, elsewhere func(name string) bool) []parameter {
	list := []parameter{}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		name := prefix + f.JSONName()
		switch {
		case prefix == "" && elsewhere(string(f.Name())):
		case f.Message() == nil:
			list = append(list, parameter{name, f})
		case !f.IsList() && !f.IsMap():
			list = append(list, fields(f.Message(), name+".", elsewhere)...)
		}
	}
	return list
}

// only refuses a request whose query has a parameter that its route does not know. Freshness may be said as of a znode, level=synced.
func (p parameters) only(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		if r.URL.RawQuery == "" {
			next(w, r, params)
			return
		}
		pattern, _ := runtime.HTTPPattern(r.Context())
		query, err := p.named(r.Method+" "+pattern.String(), r.URL.Query())
		if err != nil {
			fail(w, err, false)
			return
		}
		again := *r
		u := *r.URL
		u.RawQuery = query.Encode()
		again.URL = &u
		next(w, &again, params)
	}
}

// named is a query by the names of a route, with values as the contract has them.
func (p parameters) named(route string, q url.Values) (url.Values, error) {
	taken := p[route]
	is := func(name string) func(parameter) bool {
		return func(one parameter) bool { return one.name == name }
	}
	out := url.Values{}
	for _, key := range slices.Sorted(maps.Keys(q)) {
		at := slices.IndexFunc(taken, is("read."+camel(key)))
		if at < 0 {
			at = slices.IndexFunc(taken, is(camel(key)))
		}
		if at < 0 {
			var names []string
			for _, one := range taken {
				names = append(names, one.name)
			}
			return nil, unknownParameter(key, names)
		}
		for _, v := range q[key] {
			v, err := taken[at].value(v)
			if err != nil {
				return nil, err
			}
			out.Add(taken[at].name, v)
		}
	}
	return out, nil
}

// value is what is said of a parameter, as the contract has it: a switch that is there is on, and one of several kinds may be named without what
// all their names begin with, in capitals or not, with dashes or underscores.
func (p parameter) value(said string) (string, error) {
	switch p.field.Kind() {
	case protoreflect.BoolKind:
		on, err := query{url.Values{p.name: {said}}}.flag(p.name)
		return strconv.FormatBool(on), err
	case protoreflect.EnumKind:
		values := p.field.Enum().Values()
		begin := strings.TrimSuffix(string(values.Get(0).Name()), "UNSPECIFIED")
		name := begin + strings.TrimPrefix(strings.ReplaceAll(strings.ToUpper(said), "-", "_"), begin)
		if _, err := strconv.Atoi(said); err == nil {
			return said, nil // by its number
		}
		if values.ByName(protoreflect.Name(name)) != nil {
			return name, nil
		}
		var names []string
		for i := 1; i < values.Len(); i++ {
			names = append(names, strings.ToLower(strings.TrimPrefix(string(values.Get(i).Name()), begin)))
		}
		return "", invalid(p.name + " must be one of " + strings.Join(names, ", "))
	default:
		return said, nil
	}
}
