package deploy

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const monitoring = "deploy/monitoring"

func TestPromtoolFindsNothingAndAlertsFireAsTheirTestsSay(t *testing.T) {
	promtool := tool(t, "promtool", "prometheus")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"check", "config", "prometheus.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = filepath.Join(root, monitoring)
		if out := mustPlay(t, cmd); !strings.Contains(out, "SUCCESS") {
			t.Errorf("promtool %v: %s", args, out)
		}
	}
}

// rule is an alert.
type rule struct {
	Alert, Expr string
	Labels      struct{ Severity string }
	Annotations struct{ Summary string }
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal([]byte(text(t, monitoring+"/alerts.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func TestEveryAlertHasATestInWhichItFires(t *testing.T) {
	var file struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string
				ExpAlerts []any `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal([]byte(text(t, monitoring+"/alerts_test.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	fires := map[string]bool{}
	for _, test := range file.Tests {
		for _, a := range test.AlertRuleTest {
			fires[a.Alertname] = fires[a.Alertname] || len(a.ExpAlerts) > 0
		}
	}
	for _, r := range rules(t) {
		if !fires[r.Alert] {
			t.Errorf("%s fires in no test", r.Alert)
		}
		if r.Labels.Severity == "" || r.Annotations.Summary == "" {
			t.Errorf("%s has no severity, or does not say what is wrong", r.Alert)
		}
	}
}

// panel is a part of the dashboard.
type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               struct{ UID string }
	Targets                  []struct {
		Expr       string
		RefID      string
		Datasource struct{ UID string }
	}
}

func panels(t *testing.T) []panel {
	t.Helper()
	var d struct {
		UID           string
		SchemaVersion int
		Panels        []panel
	}
	if err := json.Unmarshal([]byte(text(t, monitoring+"/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.SchemaVersion == 0 || len(d.Panels) < 10 {
		t.Fatalf("uid %q, schema %d, %d panels", d.UID, d.SchemaVersion, len(d.Panels))
	}
	return d.Panels
}

func TestPanelsAreExplainedAndDoNotOverlap(t *testing.T) {
	seen, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range panels(t) {
		if seen[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: the id is taken, or there is no title", p.ID, p.Title)
		}
		seen[p.ID] = true
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}") {
			t.Errorf("%s: no description, no query, or a data source of its own", p.Title)
		}
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s is off the page", p.Title)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[at]; other != "" {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[at] = p.Title
			}
		}
	}
}

// filled is a query with Grafana's variables filled in.
func filled(expr string) string {
	return strings.NewReplacer("$job", "paddock", "$instance", ".+").Replace(expr)
}

// promtool reads queries in rules only, so each becomes one.
func TestQueriesOfTheDashboardAreOnesThatPrometheusReads(t *testing.T) {
	type recording struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var all []recording
	for _, p := range panels(t) {
		for _, q := range p.Targets {
			all = append(all, recording{fmt.Sprintf("panel:%d:%s", p.ID, strings.ToLower(q.RefID)), filled(q.Expr)})
		}
	}
	file, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": all}}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, name, string(file))
	mustPlay(t, exec.Command(tool(t, "promtool", "prometheus"), "check", "rules", name))
}

// metric is a name in a query: each is followed by its labels.
var metric = regexp.MustCompile(`([a-z_][a-z0-9_]*)\{`)

// ofEnsembles are the metrics that only members of an ensemble have, some of them only its leader.
var ofEnsembles = []string{"quorum_size", "leader_uptime", "synced_followers", "learners", "pending_syncs", "election_listener_up", "peer_link_up"}

// listed are the metrics of a running server by the names of a scrape: mntr has avg_, min_, max_, cnt_ and sum_ for each
// summary, where a scrape has _count, _sum and quantiles.
func listed(t *testing.T) map[string]bool {
	t.Helper()
	port := freePort(t)
	p := start(t, exec.Command(paddockBinary(t), "serve", "dataDir="+t.TempDir(), "clientPort="+strconv.Itoa(port), "grpcPort=0", "httpPort=0",
		"4lw.commands.whitelist=mntr"))
	p.until(t, "serving", func() bool { return strings.Contains(word("127.0.0.1", port, "mntr"), "zk_") })
	names := map[string]bool{"up": true}
	for line := range strings.Lines(word("127.0.0.1", port, "mntr")) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "zk_"), "\t")
		names[name] = true
		if summary, ok := strings.CutPrefix(name, "cnt_"); ok {
			names[summary], names[summary+"_count"], names[summary+"_sum"] = true, true, true
		}
	}
	return names
}

func TestMetricsInQueriesAreMetricsOfTheServer(t *testing.T) {
	names := listed(t)
	check := func(where, expr string) {
		found := metric.FindAllStringSubmatch(expr, -1)
		if len(found) == 0 {
			t.Errorf("%s: no metric in %s", where, expr)
		}
		for _, m := range found {
			if !names[m[1]] && !slices.Contains(ofEnsembles, m[1]) {
				t.Errorf("%s: no server has %s", where, m[1])
			}
		}
	}
	for _, r := range rules(t) {
		check(r.Alert, r.Expr)
	}
	for _, p := range panels(t) {
		for _, q := range p.Targets {
			check(p.Title, q.Expr)
		}
	}
}
