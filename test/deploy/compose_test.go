package deploy

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// project is compose.yaml as `docker compose` reads it: checked against the schema, anchors and variables filled in.
func project(t *testing.T) *types.Project {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(root, "deploy/compose"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml")}}, Environment: types.Mapping{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var serverLine = regexp.MustCompile(`(?m)^server\.(\d+)=([^:]+):`)

func TestComposeStartsTheMembersOfItsConfiguration(t *testing.T) {
	p := project(t)
	config := text(t, "deploy/compose/zoo.cfg")
	lines := serverLine.FindAllStringSubmatch(config, -1)
	if len(lines) != 3 || len(p.Services) != len(lines) {
		t.Fatalf("%d members, %d services", len(lines), len(p.Services))
	}
	ports, volumes := map[string]bool{}, map[string]bool{}
	for _, line := range lines {
		id, host := line[1], line[2]
		s, ok := p.Services[host]
		if !ok {
			t.Errorf("server.%s is %s, which is no service", id, host)
			continue
		}
		if s.Environment["PADDOCK_MYID"] == nil || *s.Environment["PADDOCK_MYID"] != id || s.Hostname != host {
			t.Errorf("%s: id %v, host name %s", host, s.Environment["PADDOCK_MYID"], s.Hostname)
		}
		if !s.ReadOnly || len(s.CapDrop) != 1 || s.Privileged {
			t.Errorf("%s may do more than it must", host)
		}
		if want := filepath.Join(p.WorkingDir, "../.."); s.Build.Context != want || s.Build.Dockerfile != containerFile {
			t.Errorf("%s is built from %s with %s", host, s.Build.Context, s.Build.Dockerfile)
		}
		for _, port := range s.Ports {
			at := port.HostIP + ":" + port.Published
			if port.HostIP != "127.0.0.1" || ports[at] {
				t.Errorf("%s: port %s is taken, or open to all", host, at)
			}
			ports[at] = true
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeVolume && volumes[v.Source] {
				t.Errorf("%s shares volume %s", host, v.Source)
			}
			volumes[v.Source] = v.Type == types.VolumeTypeVolume
		}
	}
}

// Each server is given its id by the environment, as in compose.yaml; it must find itself in the configuration.
func TestComposeServersFindThemselves(t *testing.T) {
	for id := 1; id <= 4; id++ {
		dir := t.TempDir()
		name := filepath.Join(dir, "zoo.cfg")
		// A port that no process may have keeps the server from running, should it serve ensembles.
		config := with(t, text(t, "deploy/compose/zoo.cfg"), "dataDir", filepath.Join(dir, "none", "\x01"))
		config = strings.Replace(config, "dataDir", "datadir.autocreate=false\ndataDir", 1)
		write(t, name, config)
		cmd := exec.Command(paddockBinary(t), "serve", "--config", name)
		cmd.Env = []string{fmt.Sprintf("PADDOCK_MYID=%d", id)}
		code, out := play(t, cmd)
		if listed := !strings.Contains(out, "lists 1,2,3"); code == 0 || listed != (id <= 3) {
			t.Errorf("server %d: exit code %d: %s", id, code, out)
		}
	}
}
