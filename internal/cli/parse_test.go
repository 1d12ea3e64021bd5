package cli

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/zk"
)

func TestLinesAreSplitAsZooKeeperDoes(t *testing.T) {
	for _, row := range []struct {
		name, line string
		want       []string
	}{
		{"blanks part words", "  get  -s\t/a ", []string{"get", "-s", "/a"}},
		{"quotes keep blanks, and are taken off", `create /a "two words" 'and "more"'`, []string{"create", "/a", "two words", `and "more"`}},
		{"a quote within a word stays", `set /a it's`, []string{"set", "/a", "it's"}},
		{"there are no escapes", `set /a a\ b`, []string{"set", "/a", `a\`, "b"}},
		{"an empty word can be said", `create /a ""`, []string{"create", "/a", ""}},
		{"a quote that is not closed is left out", `get  "/a`, []string{"get", "/a"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := split(row.line); !slices.Equal(got, row.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestOptionsAreReadAsCommonsCliDoes(t *testing.T) {
	o := flags("s", "", "w", "", "v version", "", "add list", "")
	for _, row := range []struct {
		name, words string
		set         map[string]string
		args        string
		problem     string
	}{
		{"options stand anywhere", "get /a -s", map[string]string{"s": ""}, "get /a", ""},
		{"letters are joined", "get -sw /a", map[string]string{"s": "", "w": ""}, "get /a", ""},
		{"the value is the next word", "get -v 3 /a", map[string]string{"v": "3"}, "get /a", ""},
		{"or follows at once", "get -v3 /a", map[string]string{"v": "3"}, "get /a", ""},
		{"or behind an equals sign", "get -v=3 /a", map[string]string{"v": "3"}, "get /a", ""},
		{"or after other letters", "get -sv3 /a", map[string]string{"s": "", "v": "3"}, "get /a", ""},
		{"a negative number is a value", "get -v -1 /a", map[string]string{"v": "-1"}, "get /a", ""},
		{"an option is none", "get -v -s /a", nil, "", "Missing argument for option: v"},
		{"two dashes end options", "get -- -s", map[string]string{}, "get -s", ""},
		{"a dash alone is a word", "get -", map[string]string{}, "get -", ""},
		{"long names have one dash", "reconfig -add x", map[string]string{"add": "x"}, "reconfig", ""},
		{"or two", "reconfig --add=x", map[string]string{"add": "x"}, "reconfig", ""},
		{"one letter has one dash", "get --s", nil, "", "Unrecognized option: --s"},
		{"what is not known is refused", "get -z", nil, "", "Unrecognized option: -z"},
		{"also among joined letters", "get -sz", nil, "", "Unrecognized option: -sz"},
		{"what takes no value gets none", "get -s=1", nil, "", "Unrecognized option: -s=1"},
		{"a value is due at the end too", "get /a -v", nil, "", "Missing argument for option: v"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := o.parse(strings.Fields(row.words))
			switch {
			case row.problem != "":
				if err == nil || err.Error() != row.problem {
					t.Errorf("%v", err)
				}
			case err != nil:
				t.Error(err)
			case !maps.Equal(got.set, row.set) || strings.Join(got.args, " ") != row.args:
				t.Errorf("%+v", got)
			}
		})
	}
}

// FuzzOptions: whatever the words, the parser ends without panicking, and what it takes for arguments was said.
func FuzzOptions(f *testing.F) {
	f.Add("get -sv3 /a -- -x")
	f.Add("setquota -n=1 -b")
	f.Fuzz(func(t *testing.T, line string) {
		words := split(line)
		for _, c := range commands() {
			got, err := c.options.parse(words)
			if err != nil {
				continue
			}
			for _, a := range got.args {
				if !slices.Contains(words, a) {
					t.Fatalf("%q was not said in %q", a, words)
				}
			}
		}
	})
}

// FuzzRecords: an import that is not understood is refused without panicking, and what is understood makes a request.
func FuzzRecords(f *testing.F) {
	f.Add("{\"paddock_export\":1,\"root\":\"/\"}\n{\"path\":\"/a\",\"data\":\"AA==\",\"acl\":[{\"scheme\":\"ip\",\"id\":\"::1\",\"perms\":\"r\"}]}\n")
	f.Fuzz(func(t *testing.T, file string) {
		r, err := readRecords(strings.NewReader(file))
		for err == nil {
			var rec record
			if err = r.next(&rec); err == nil {
				if path, bad := moved(rec.Path, r.head.Root, "/to"); bad == nil {
					if req, bad := rec.request(path); bad == nil && !zk.ValidPath(req.Path) {
						t.Fatalf("%q is no path", req.Path)
					}
				}
			}
		}
		if _, told := errors.AsType[*failure](err); !told && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	})
}

func TestRecordsKeepEveryKind(t *testing.T) {
	for _, row := range []struct {
		name string
		mode zk.CreateMode
		ttl  int64
		op   zk.OpCode
	}{
		{"persistent", zk.Persistent, 0, zk.OpCreate},
		{"container", zk.Container, 0, zk.OpCreateContainer},
		{"with a time to live", zk.PersistentTTL, 5000, zk.OpCreateTTL},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := &node{path: "/a", data: []byte{0, 1}, acl: []zk.ACL{{Perms: zk.PermRead | zk.PermAdmin, ID: zk.ID{Scheme: "digest", ID: "a:b:c"}}}}
			rec := newRecord(n, row.mode, row.ttl)
			req, err := rec.request("/b")
			if err != nil || req.Op != row.op || req.Mode != row.mode || !reflect.DeepEqual(req.ACL, n.acl) || string(req.Data) != "\x00\x01" {
				t.Errorf("%+v, %v", req, err)
			}
			if row.ttl != 0 && req.TTLMS != row.ttl {
				t.Errorf("the time to live became %d", req.TTLMS)
			}
		})
	}
}

func TestConnectStrings(t *testing.T) {
	for _, row := range []struct {
		name, text string
		servers    string
		chroot     string
		bad        bool
	}{
		{"a host and its port", "a:1", "a:1", "", false},
		{"the default port", "a", "a:2181", "", false},
		{"several, with blanks", "a:1, b:2", "a:1 b:2", "", false},
		{"a chroot", "a:1,b/x/y", "a:1 b:2181", "/x/y", false},
		{"a slash alone is none", "a:1/", "a:1", "", false},
		{"IPv6", "[::1]:7,::2,[::3]", "[::1]:7 [::2]:2181 [::3]:2181", "", false},
		{"a chroot that ends with a slash", "a/x/", "", "", true},
		{"no host", "/x", "", "", true},
		{"no number", "a:x", "", "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := connectOptions{}.target(row.text)
			if (err != nil) != row.bad || strings.Join(got.servers, " ") != row.servers || got.chroot != row.chroot {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestInvocation(t *testing.T) {
	o, problem := parseInvocation(strings.Fields("-server h:1 -timeout 5 -r -waitforconnection get -s /a"))
	if problem != "" || o.server != "h:1" || o.timeout != 5*time.Millisecond || !o.readOnly || !o.wait || strings.Join(o.command, " ") != "get -s /a" {
		t.Errorf("%+v %q", o, problem)
	}
	if _, problem = parseInvocation([]string{"-server"}); problem != "Error: no argument found for option -server" {
		t.Error(problem)
	}
	if o, problem = parseInvocation([]string{"-odd", "ls"}); problem == "" || len(o.command) != 1 {
		t.Errorf("%+v %q", o, problem)
	}
}

func TestCompletion(t *testing.T) {
	address := serving(t)
	for _, path := range []string{"/app", "/app/one", "/apple"} {
		must(t, address, "create", path)
	}
	for _, row := range []struct {
		name, args, typed, want string
	}{
		{"options before the command", "", "-ti", "-timeout"},
		{"commands", "-server " + address, "getA", "getAcl getAllChildrenNumber"},
		{"commands behind help", "help", "exp", "export"},
		{"options of the command", "get", "-", "-s -w -b -x"},
		{"paths", "-server " + address + " get", "/ap", "/app /apple"},
		{"a path with more below", "-server " + address + " get -s", "/app/", "/app/one"},
		{"a path with a slash if that is all", "-server " + address + " ls", "/zoo", "/zookeeper/"},
		{"nothing below what is not there", "-server " + address + " ls", "/nope/", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := strings.Join(Complete(t.Context(), strings.Fields(row.args), row.typed), " "); got != row.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestHistoryOutlivesTheShellWithoutSecrets(t *testing.T) {
	t.Setenv(historyEnv, filepath.Join(t.TempDir(), "deep", "history"))
	h := loadHistory()
	for _, line := range []string{"ls /", "ls /", "", "addauth digest ann:secret", "get /a"} {
		h.Add(line)
	}
	if err := h.save(); err != nil {
		t.Fatal(err)
	}
	again := loadHistory()
	if again.Len() != 2 || again.At(0) != "get /a" || again.At(1) != "ls /" {
		t.Errorf("%q", again.lines)
	}
	if info, err := os.Stat(h.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	t.Setenv(historyEnv, "off")
	if h := loadHistory(); h.path != "" || h.Len() != 0 {
		t.Errorf("%+v", h)
	}
}

func TestHelpTellsOfEveryCommand(t *testing.T) {
	var out, errs text
	if code := Main(t.Context(), []string{"help"}, Streams{strings.NewReader(""), &out, &errs}, "test"); code != 0 {
		t.Fatal(errs.String())
	}
	for _, c := range commands() {
		if !strings.Contains(out.String(), "\n  "+c.name+" ") {
			t.Errorf("help does not list %s", c.name)
		}
		if c.short == "" || strings.HasSuffix(c.short, ".") || !slices.Contains(groups, c.group) {
			t.Errorf("%s: %q in %q", c.name, c.short, c.group)
		}
	}
}

func TestMembersAreReadFromTheConfiguration(t *testing.T) {
	list, version := parseMembers("server.1=a:1:2:participant;0.0.0.0:7\nserver.2=b:1:2:observer;8\nserver.3=[::1]:1:2\nversion=100")
	if version != "100" || len(list) != 3 || list[0].client != "a:7" || list[1].client != "b:8" || list[1].role != "observer" || list[2].client != "" {
		t.Errorf("%+v %s", list, version)
	}
	if got := clientAddresses("server.1=a:1:2;0.0.0.0:7\nserver.2=b:1:2\nversion=5"); got != "5 0.0.0.0:7," {
		t.Errorf("%q", got)
	}
}

// kinded is a Backend that knows one container.
type kinded struct{ Backend }

func (kinded) Kind(_ context.Context, path string) (zk.CreateMode, int64, error) {
	if path == "/root/c" {
		return zk.Container, 0, nil
	}
	return zk.PersistentTTL, 7, nil
}

func TestKindsAreAskedBelowTheChroot(t *testing.T) {
	if _, ok := kindsOf(&rooted{Backend: &rooted{}}); ok {
		t.Error("kinds are told by one that cannot")
	}
	k, ok := kindsOf(&rooted{Backend: kinded{}, root: "/root"})
	if !ok {
		t.Fatal("kinds are not told")
	}
	if mode, _, err := k.Kind(t.Context(), "/c"); mode != zk.Container || err != nil {
		t.Errorf("%v, %v", mode, err)
	}
	if mode, ttl, err := k.Kind(t.Context(), "/t"); mode != zk.PersistentTTL || ttl != 7 || err != nil {
		t.Errorf("%v, %d, %v", mode, ttl, err)
	}
}
