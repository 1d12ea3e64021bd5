//go:build doors

package foreign

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/test/doors/rig"
)

const (
	root     = "../../.."
	patience = 2 * time.Minute // of one program
)

// program runs a program and returns what it printed. It must end well unless fails is set.
func program(t *testing.T, fails bool, name string, args ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); (err != nil) != fails {
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// contract are the files that a client is generated from.
func contract(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(root + "/proto/paddock/v1/*.proto")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var out []string
	for _, f := range files {
		out = append(out, "paddock/v1/"+filepath.Base(f))
	}
	return out
}

// fields are those of a JSON object.
func fields(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return out
}

func base(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestGrpcurl(t *testing.T) {
	bin := root + "/bin/tools/grpcurl"
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("%v; make bin/tools/.built builds it", err)
	}
	s := rig.Start(t)
	call := func(data, method string, headers ...string) map[string]any {
		t.Helper()
		args := []string{"-plaintext"}
		for _, h := range headers {
			args = append(args, "-H", h)
		}
		out, _ := program(t, false, bin, append(args, "-d", data, s.GRPC, "paddock.v1."+method)...)
		return fields(t, out)
	}

	services, _ := program(t, false, bin, "-plaintext", s.GRPC, "list")
	for _, want := range []string{"AdminService", "ElectionService", "LockService", "SessionService", "WatchService", "ZnodeService"} {
		if !slices.Contains(rig.Lines(services), "paddock.v1."+want) {
			t.Errorf("reflection does not tell of %s: %q", want, services)
		}
		if text, _ := program(t, false, bin, "-plaintext", s.GRPC, "describe", "paddock.v1."+want); !strings.Contains(text, "rpc ") {
			t.Errorf("%s is described as %q", want, text)
		}
	}
	if health, _ := program(t, false, bin, "-plaintext", s.GRPC, "grpc.health.v1.Health/Check"); fields(t, health)["status"] != "SERVING" {
		t.Errorf("health: %s", health)
	}

	made := call(`{"path": "/a/b", "data": "`+base("one")+`", "parents": true}`, "ZnodeService/Create")
	if made["path"] != "/a/b" || made["created"] != true {
		t.Errorf("created %v", made)
	}
	if got := call(`{"path": "/a/b"}`, "ZnodeService/Get"); got["data"] != base("one") || got["zxid"] != made["zxid"] {
		t.Errorf("read %v after %v", got, made)
	}
	session := call(`{"timeout_ms": 10000}`, "SessionService/OpenSession")
	named := []string{"paddock-session: " + session["sessionId"].(string), "paddock-session-password: " + session["password"].(string)}
	call(`{"path": "/a/e", "mode": "CREATE_MODE_EPHEMERAL"}`, "ZnodeService/Create", named...)
	if got := call(`{}`, "SessionService/ListEphemerals", named...); !slices.Equal(got["paths"].([]any), []any{"/a/e"}) {
		t.Errorf("the session has %v", got)
	}
	call(`{}`, "SessionService/CloseSession", named...)
	if got := call(`{"path": "/a/e"}`, "ZnodeService/Exists"); got["exists"] == true {
		t.Error("the ephemeral outlives its session")
	}
	_, refusal := program(t, true, bin, "-plaintext", "-d", `{"path": "/none"}`, s.GRPC, "paddock.v1.ZnodeService/Get")
	for _, want := range []string{"NotFound", "NONODE", "paddock"} {
		if !strings.Contains(refusal, want) {
			t.Errorf("the refusal says nothing of %s: %s", want, refusal)
		}
	}
}

// steps are what each generated client does and prints, a line each: the same for all languages.
var steps = []string{
	"created /foreign/NAME/s-0000000000", "data one version 0", "children s-0000000000", "set version 1", "refused FAILED_PRECONDITION BADVERSION",
	"refused NOT_FOUND NONODE", "transaction held true results 2", "transaction held false results 1", "session ephemerals /foreign/NAME/e", "alive",
	"pipelined set three error NONODE delete",
	"told CREATED /foreign/NAME/w", "locked true", "unlocked", "closed", "gone",
}

// compare checks what a generated client printed.
func compare(t *testing.T, name, out string) {
	t.Helper()
	want := strings.ReplaceAll(strings.Join(steps, "\n"), "NAME", name)
	if got := strings.Join(rig.Lines(out), "\n"); got != want {
		t.Errorf("%s printed\n%s\nwant\n%s", name, got, want)
	}
}

// optional is a field whose presence counts, and which protoc understands since 3.12.
var optional = regexp.MustCompile(`optional (\w+) (\w+) = (\d+);`)

// withoutOptional is the contract for the protoc in python3-grpc-tools, which is older: each optional field is the oneof that it stands for, and that
// newer ones make of it.
func withoutOptional(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range contract(t) {
		text, err := os.ReadFile(root + "/proto/" + name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(dir+"/"+name), 0o755)
		}
		if err == nil {
			err = os.WriteFile(dir+"/"+name, optional.ReplaceAll(text, []byte("oneof _$2 { $1 $2 = $3; }")), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// python is Debian's, which has the modules that Debian packages.
const python = "/usr/bin/python3"

// pythonClient is a folder with what protoc generates for Python.
func pythonClient(t *testing.T) (generated string) {
	t.Helper()
	generated = t.TempDir()
	args := []string{"-m", "grpc_tools.protoc", "-I" + withoutOptional(t), "-I" + root + "/proto/third_party", "--python_out=" + generated, "--grpc_python_out=" + generated}
	program(t, false, python, append(append(args, contract(t)...), "google/api/annotations.proto", "google/api/http.proto")...)
	// What so old a protoc generates is taken by the part of Debian's python3-protobuf that is written in Python.
	t.Setenv("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
	return generated
}

func TestPython(t *testing.T) {
	generated := pythonClient(t)
	s := rig.Start(t)
	out, _ := program(t, false, python, "client.py", generated, s.GRPC)
	compare(t, "python", out)
}

// TLS on the gRPC port is what gRPC's own library, in C, and grpcurl take it for, whatever kind of store the server has; who has no
// certificate, or speaks without TLS, is refused.
func TestGRPCOverTLS(t *testing.T) {
	grpcurl := root + "/bin/tools/grpcurl"
	if _, err := os.Stat(grpcurl); err != nil {
		t.Fatalf("%v; make bin/tools/.built builds it", err)
	}
	generated := pythonClient(t)
	stores, err := filepath.Abs(root + "/internal/keystore/testdata")
	if err != nil {
		t.Fatal(err)
	}
	trusted, own := stores+"/ca.pem", stores+"/client.pem"
	for _, kind := range []struct {
		name, key, trust string
		passwords        bool
	}{{"PEM", "server.pem", "ca.pem", false}, {"PKCS12", "server-keytool.p12", "trust.p12", true}, {"JKS", "server.jks", "trust.jks", true}} {
		t.Run(kind.name, func(t *testing.T) {
			settings := []string{"grpcTls=true", "ssl.keyStore.location=" + stores + "/" + kind.key, "ssl.trustStore.location=" + stores + "/" + kind.trust}
			if kind.passwords {
				settings = append(settings, "ssl.keyStore.passwordPath="+stores+"/password.txt", "ssl.trustStore.passwordPath="+stores+"/password.txt")
			}
			s := rig.Start(t, settings...)
			out, _ := program(t, false, python, "client.py", generated, s.GRPC, trusted, own)
			compare(t, "python", out)
			tls := []string{"-cacert", trusted, "-cert", own, "-key", own}
			if services, _ := program(t, false, grpcurl, append(tls, s.GRPC, "list")...); !slices.Contains(rig.Lines(services), "paddock.v1.ZnodeService") {
				t.Errorf("grpcurl lists %q", services)
			}
			for name, args := range map[string][]string{"without a certificate": tls[:2], "of a stranger": {"-cacert", stores + "/elsewhere.pem"}, "without TLS": {"-plaintext"}} {
				if _, refusal := program(t, true, grpcurl, append(append([]string{"-connect-timeout", "5"}, args...), s.GRPC, "list")...); refusal == "" {
					t.Errorf("%s: no word of why it is refused", name)
				}
			}
		})
	}
}

func TestTypeScript(t *testing.T) {
	node := rig.Need(t, "node", "test/doors/install.sh brings it")
	if _, err := os.Stat("node_modules/typescript/package.json"); err != nil {
		t.Fatal("modules of npm are missing; test/doors/install.sh brings them")
	}
	// Beside node_modules, so that imports are found.
	dir, err := os.MkdirTemp("node_modules", ".test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	args := []string{"node_modules/.bin/proto-loader-gen-types", "--longs=String", "--enums=String", "--defaults", "--oneofs", "--grpcLib=@grpc/grpc-js", "--importFileExtension=.js",
		"-I", root + "/proto", root + "/proto/third_party", "-O", dir + "/types"}
	program(t, false, node, append(args, contract(t)...)...)
	source, err := os.ReadFile("client.ts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/client.ts", source, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/package.json", []byte(`{"type": "module"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	program(t, false, node, "node_modules/typescript/bin/tsc", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--types", "node", "--outDir", dir+"/js", dir+"/client.ts")
	s := rig.Start(t)
	out, _ := program(t, false, node, dir+"/js/client.js", root+"/proto", s.GRPC)
	compare(t, "typescript", out)
}

func TestCurl(t *testing.T) {
	curl := rig.Need(t, "curl", "install it with: apt-get install -y --no-install-recommends curl")
	s := rig.Start(t)
	url := "http://" + s.HTTP
	get := func(args ...string) string {
		t.Helper()
		out, _ := program(t, false, curl, append([]string{"-sS", "--max-time", "60"}, args...)...)
		return out
	}
	if got := get("-T", "client.py", "-w", "%{http_code}", "-o", "/dev/null", url+"/v1/znodes/app/file?parents"); got != "201" {
		t.Errorf("a file is put with %s", got)
	}
	file, err := os.ReadFile("client.py")
	if err != nil {
		t.Fatal(err)
	}
	if got := get(url + "/v1/znodes/app/file"); got != string(file) {
		t.Errorf("a file of %d bytes comes back with %d", len(file), len(got))
	}
	tag := get("-o", "/dev/null", "-w", "%header{etag}", url+"/v1/znodes/app/file")
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"a change of what was read is made", "200", []string{"-X", "PUT", "-H", "If-Match: " + tag, "-d", "two", url + "/v1/znodes/app/file"}},
		{"a change of what is no more is refused", "412", []string{"-X", "PUT", "-H", "If-Match: " + tag, "-d", "three", url + "/v1/znodes/app/file"}},
		{"what is there is not put as new", "412", []string{"-X", "PUT", "-H", "If-None-Match: *", "-d", "x", url + "/v1/znodes/app/file"}},
		{"what is not there is not found", "404", []string{url + "/v1/znodes/none"}},
		{"what has children is not deleted", "409", []string{"-X", "DELETE", url + "/v1/znodes/app"}},
		{"a subtree is deleted", "200", []string{"-X", "DELETE", url + "/v1/znodes/app?recursive"}},
		{"HEAD tells that it is gone", "404", []string{"-I", url + "/v1/znodes/app"}},
	} {
		if got := get(append([]string{"-o", "/dev/null", "-w", "%{http_code}"}, c.args...)...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	who := fields(t, get("-u", "joe:secret", url+"/v1/whoami"))
	if text, _ := json.Marshal(who); !strings.Contains(string(text), `"digest"`) {
		t.Errorf("with a password one is %s", text)
	}
	// A stream of events is cut by curl after two seconds, with status 28; it must have begun.
	events, _ := program(t, true, curl, "-sSN", "--max-time", "2", url+"/v1/znodes/app?watch")
	if !strings.HasPrefix(events, "event: created") && !strings.HasPrefix(events, "id: ") {
		t.Errorf("events begin with %q", events)
	}
}

func TestOpenAPI(t *testing.T) {
	node := rig.Need(t, "node", "test/doors/install.sh brings it")
	if _, err := os.Stat("node_modules/@seriousme/openapi-schema-validator/package.json"); err != nil {
		t.Fatal("modules of npm are missing; test/doors/install.sh brings them")
	}
	s := rig.Start(t)
	out, _ := program(t, false, node, "openapi.mjs", "http://"+s.HTTP+"/openapi.json")
	if strings.TrimSpace(out) != "valid" {
		t.Error(out)
	}
}
