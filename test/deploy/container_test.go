package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const containerFile = "deploy/container/Dockerfile"

// stages reads the container file as BuildKit does; every warning is a failure.
func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	file, err := parser.Parse(strings.NewReader(text(t, containerFile)))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range file.Warnings {
		t.Error(w.Short)
	}
	all, _, err := instructions.Parse(file.AST, linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, at []parser.Range) { t.Errorf("%s: %s %v", rule, message, at) },
	}))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// image is what the last stage makes.
type image struct {
	root                         string
	entrypoint, command, health  []string
	env                          []string
	user, volume, workdir, stops string
}

// layOut makes the last stage in a directory: what the build stage would have compiled is taken from where it is.
func layOut(t *testing.T) image {
	t.Helper()
	all := stages(t)
	last := all[len(all)-1]
	if last.BaseName != "scratch" {
		t.Fatalf("the image begins with %s", last.BaseName)
	}
	built := map[string]string{"/out/paddock": paddockBinary(t), "/out/paddock-member": memberBinary, "/out/data": ""}
	im := image{root: t.TempDir()}
	for _, c := range last.Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			for _, from := range c.SourcePaths {
				source := filepath.Join(root, from)
				if c.From != "" {
					var ok bool
					if source, ok = built[from]; !ok {
						t.Fatalf("nothing makes %s", from)
					}
				}
				to := filepath.Join(im.root, c.DestPath)
				if strings.HasSuffix(c.DestPath, "/") {
					to = filepath.Join(to, filepath.Base(from))
				}
				im.put(t, source, to, c.Chown)
			}
		case *instructions.EnvCommand:
			for _, e := range c.Env {
				im.env = append(im.env, e.Key+"="+e.Value)
			}
		case *instructions.UserCommand:
			im.user = c.User
		case *instructions.WorkdirCommand:
			im.workdir = c.Path
		case *instructions.VolumeCommand:
			im.volume = strings.Join(c.Volumes, ",")
		case *instructions.HealthCheckCommand:
			im.health = c.Health.Test
		case *instructions.StopSignalCommand:
			im.stops = c.Signal
		case *instructions.EntrypointCommand:
			im.entrypoint = c.CmdLine
		case *instructions.CmdCommand:
			im.command = c.CmdLine
		}
	}
	if err := os.Chmod(im.root, 0o755); err != nil {
		t.Fatal(err)
	}
	return im
}

// put copies a file, or makes a directory for source "".
func (im *image) put(t *testing.T, source, to, owner string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if source == "" {
		if err := os.Mkdir(to, 0o755); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 {
			uid, gid := ids(t, owner)
			if err := os.Chown(to, uid, gid); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	info, err := os.Stat(source)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(source)
	if err == nil {
		err = os.WriteFile(to, b, info.Mode().Perm())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// ids are the numbers in uid:gid.
func ids(t *testing.T, owner string) (uid, gid int) {
	t.Helper()
	u, g, _ := strings.Cut(owner, ":")
	uid, err := strconv.Atoi(u)
	if err == nil {
		gid, err = strconv.Atoi(g)
	}
	if err != nil {
		t.Fatalf("%q is not two numbers", owner)
	}
	return uid, gid
}

// run is a process of the image's user that sees nothing but the image.
func (im *image) run(t *testing.T, words ...string) *exec.Cmd {
	t.Helper()
	uid, gid := ids(t, im.user)
	attr := &syscall.SysProcAttr{Chroot: im.root, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	if os.Geteuid() != 0 { // then only a namespace lets us change the root
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: os.Getegid(), Size: 1}}
		attr.Credential.NoSetGroups = true
	}
	return &exec.Cmd{Path: words[0], Args: words, Env: im.env, Dir: im.workdir, SysProcAttr: attr}
}

func TestTheImageServesAsAUserWithoutRights(t *testing.T) {
	im := layOut(t)
	if uid, _ := ids(t, im.user); uid == 0 || im.stops != "SIGTERM" || im.volume != im.workdir {
		t.Errorf("user %s, stopped by %s, volume %s, working directory %s", im.user, im.stops, im.volume, im.workdir)
	}
	httpPort := freePort(t)
	words := append(append([]string{}, im.entrypoint...), im.command...)
	words = append(words, "clientPort="+strconv.Itoa(freePort(t)), "grpcPort="+strconv.Itoa(freePort(t)), "httpPort="+strconv.Itoa(httpPort))
	p := start(t, im.run(t, words...))

	if im.health[0] != "CMD" {
		t.Fatalf("the health check needs a shell: %q", im.health)
	}
	p.until(t, "healthy", func() bool {
		code, _ := play(t, im.run(t, im.health[1:]...))
		return code == 0
	})
	// The chart's probes ask the same server.
	c := render(t, nil, false).set.Spec.Template.Spec.Containers[0]
	for _, path := range []string{c.StartupProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path} {
		p.until(t, path, func() bool { code, _ := get(t, "127.0.0.1:"+strconv.Itoa(httpPort), path); return code == 200 })
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("stopped with exit code %d", code)
	}
	if code, _ := play(t, im.run(t, im.health[1:]...)); code == 0 {
		t.Error("healthy after the stop")
	}
}

func TestTheImageHasTheToolOfTheChart(t *testing.T) {
	im := layOut(t)
	o := render(t, nil, false)
	if command := o.set.Spec.Template.Spec.InitContainers[0].Command; len(command) != 1 {
		t.Fatal(command)
	} else if code, out := play(t, im.run(t, command[0], "configure", "--help")); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	if uid, _ := ids(t, im.user); int64(uid) != *o.set.Spec.Template.Spec.SecurityContext.RunAsUser {
		t.Errorf("the image runs as %d, the chart as %d", uid, *o.set.Spec.Template.Spec.SecurityContext.RunAsUser)
	}
}

// The build must see each file it reads, and should see no test data.
func TestTheBuildSeesWhatItReads(t *testing.T) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(text(t, containerFile+".dockerignore")))
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	const format = `{{if not .Standard}}{{$d := .Dir}}{{with .Module}}{{if .Main}}{{range $.GoFiles}}{{$d}}/{{.}}
{{end}}{{range $.EmbedFiles}}{{$d}}/{{.}}
{{end}}{{end}}{{end}}{{end}}`
	list := exec.Command("go", "list", "-deps", "-f", format, "./cmd/paddock", "./deploy/member")
	list.Dir = root
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Fields(mustPlay(t, list))
	files = append(files, filepath.Join(top, "go.mod"), filepath.Join(top, "go.sum"), filepath.Join(top, "deploy/container/zoo.cfg"))
	if len(files) < 100 {
		t.Fatalf("only %d files", len(files))
	}
	for _, f := range files {
		name, err := filepath.Rel(top, f)
		if err != nil {
			t.Fatal(err)
		}
		if hidden, err := ignored.MatchesOrParentMatches(name); err != nil || hidden {
			t.Errorf("%s is hidden from the build (%v)", name, err)
		}
	}
	for _, name := range []string{"docs/architecture.md", "storage/wal/testdata/x", ".git/config", "bin/paddock", "server/run_test.go"} {
		if hidden, err := ignored.MatchesOrParentMatches(name); err != nil || !hidden {
			t.Errorf("%s is sent to the build (%v)", name, err)
		}
	}
}
