package deploy

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const chartDir = "deploy/helm/paddock"

var update = flag.Bool("update", false, "write deploy/kubernetes from the chart")

type values = map[string]any

// variants are values that a user may give, beside the defaults.
var variants = map[string]values{
	"defaults":   {},
	"one server": {"replicas": 1, "podDisruptionBudget": values{"enabled": false}},
	"everything": {
		"replicas": 5, "founders": 0, "nameOverride": "zk", "clusterDomain": "example.internal", "antiAffinity": "required",
		"image":            values{"repository": "registry.example.org/paddock", "tag": "1.2.3", "pullPolicy": "Always"},
		"imagePullSecrets": []any{values{"name": "pull"}},
		"config":           values{"tickTime": 1000, "extra": values{"snapCount": 50000, "jute.maxbuffer": 4194304}},
		"superuser":        values{"existingSecret": "ours"}, "storage": values{"size": "100Gi", "className": "fast"},
		"nodeSelector": values{"disk": "nvme"}, "tolerations": []any{values{"key": "dedicated", "operator": "Exists"}},
		"priorityClassName": "high", "podAnnotations": values{"a": "b"}, "podLabels": values{"team": "x"},
		"service":        values{"type": "LoadBalancer", "annotations": values{"internal": "true"}},
		"serviceMonitor": values{"enabled": true, "labels": values{"release": "prometheus"}},
	},
}

// objects is what a chart makes.
type objects struct {
	text     map[string]string // by file of the chart
	set      appsv1.StatefulSet
	config   corev1.ConfigMap
	budget   *policyv1.PodDisruptionBudget
	jobs     map[string]batchv1.Job // by the end of the name
	services map[string]corev1.Service
	secrets  []corev1.Secret
}

// render is `helm install paddock` or, later, `helm upgrade`, without a cluster that could be asked.
func render(t *testing.T, v values, later bool) objects {
	t.Helper()
	chart, err := loader.Load(filepath.Join(root, chartDir))
	if err != nil {
		t.Fatal(err)
	}
	release := chartutil.ReleaseOptions{Name: "paddock", Namespace: "prod", Revision: 1, IsInstall: !later, IsUpgrade: later}
	all, err := chartutil.ToRenderValues(chart, v, release, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		t.Fatal(err)
	}
	o := objects{text: map[string]string{}, jobs: map[string]batchv1.Job{}, services: map[string]corev1.Service{}}
	for name, content := range files {
		if strings.HasSuffix(name, ".yaml") {
			o.text[filepath.Base(name)] = content
			for doc := range strings.SplitSeq("\n"+content, "\n---") {
				o.decode(t, name, doc)
			}
		}
	}
	return o
}

// decode reads one object into its type; a field that Kubernetes does not know is a failure.
func (o *objects) decode(t *testing.T, name, doc string) {
	t.Helper()
	var head struct{ Kind string }
	if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, doc)
	}
	strictly := func(into any) {
		if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
			t.Errorf("%s: %v\n%s", name, err, doc)
		}
	}
	switch head.Kind {
	case "":
		if strings.TrimSpace(doc) != "" && !strings.HasPrefix(strings.TrimSpace(doc), "#") {
			t.Errorf("%s: no kind:\n%s", name, doc)
		}
	case "StatefulSet":
		strictly(&o.set)
	case "ConfigMap":
		strictly(&o.config)
	case "PodDisruptionBudget":
		o.budget = new(policyv1.PodDisruptionBudget)
		strictly(o.budget)
	case "Job":
		var j batchv1.Job
		strictly(&j)
		o.jobs[j.Name[strings.LastIndexByte(j.Name, '-')+1:]] = j
	case "Service":
		var s corev1.Service
		strictly(&s)
		o.services[s.Name] = s
	case "Secret":
		var s corev1.Secret
		strictly(&s)
		o.secrets = append(o.secrets, s)
	case "ServiceMonitor": // of the Prometheus operator
	default:
		t.Errorf("%s: unexpected %s", name, head.Kind)
	}
}

func TestHelmFindsNothingInTheChart(t *testing.T) {
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			l := lint.All(filepath.Join(root, chartDir), v, "prod", true)
			for _, m := range l.Messages {
				if m.Severity > support.InfoSev {
					t.Error(m)
				}
			}
		})
	}
}

func TestValuesThatMakeNoSenseAreRefused(t *testing.T) {
	chart, err := loader.Load(filepath.Join(root, chartDir))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]values{
		"no servers":      {"replicas": 0},
		"a misspelt key":  {"replica": 3},
		"a word for port": {"config": values{"tickTime": "fast"}},
	} {
		if _, err := chartutil.ToRenderValues(chart, v, chartutil.ReleaseOptions{Name: "paddock"}, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestEveryObjectIsOneThatKubernetesKnows(t *testing.T) {
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			o := render(t, v, false)
			if o.set.Name == "" || o.config.Name == "" || len(o.jobs) != 2 || len(o.services) != 2 {
				t.Errorf("set %q, config %q, %d jobs, %d services", o.set.Name, o.config.Name, len(o.jobs), len(o.services))
			}
		})
	}
}

// Selectors and ports are strings that nobody checks until nothing comes through.
func TestServicesBudgetAndSetMeanTheSamePods(t *testing.T) {
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			o := render(t, v, false)
			pod := o.set.Spec.Template
			selects := func(what string, selector map[string]string) {
				for k, want := range selector {
					if pod.Labels[k] != want {
						t.Errorf("%s selects %s=%s, pods have %q", what, k, want, pod.Labels[k])
					}
				}
				for name, j := range o.jobs {
					matches := len(selector) > 0
					for k, want := range selector {
						matches = matches && j.Spec.Template.Labels[k] == want
					}
					if matches {
						t.Errorf("%s takes the pods of job %s for servers", what, name)
					}
				}
			}
			selects("the set", o.set.Spec.Selector.MatchLabels)
			ports := map[string]bool{}
			for _, p := range pod.Spec.Containers[0].Ports {
				ports[p.Name] = true
			}
			for _, s := range o.services {
				selects(s.Name, s.Spec.Selector)
				for _, p := range s.Spec.Ports {
					if !ports[p.TargetPort.StrVal] {
						t.Errorf("%s: no port %s", s.Name, p.TargetPort.StrVal)
					}
				}
			}
			if o.budget != nil {
				selects("the budget", o.budget.Spec.Selector.MatchLabels)
			}
			if s, ok := o.services[o.set.Spec.ServiceName]; !ok || s.Spec.ClusterIP != "None" || !s.Spec.PublishNotReadyAddresses {
				t.Errorf("service %s of the set: %+v", o.set.Spec.ServiceName, s.Spec)
			}
		})
	}
}

func TestPodsMayDoNoMoreThanTheyMust(t *testing.T) {
	o := render(t, nil, false)
	specs := map[string]corev1.PodSpec{"set": o.set.Spec.Template.Spec}
	for name, j := range o.jobs {
		specs[name] = j.Spec.Template.Spec
	}
	for name, s := range specs {
		if !*s.SecurityContext.RunAsNonRoot || *s.SecurityContext.RunAsUser == 0 || *s.AutomountServiceAccountToken {
			t.Errorf("%s: %+v", name, s.SecurityContext)
		}
		for _, c := range append(s.InitContainers, s.Containers...) {
			x := c.SecurityContext
			if *x.AllowPrivilegeEscalation || !*x.ReadOnlyRootFilesystem || !slices.Contains(x.Capabilities.Drop, "ALL") {
				t.Errorf("%s: container %s: %+v", name, c.Name, x)
			}
			if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
				t.Errorf("%s: container %s has no limits", name, c.Name)
			}
		}
	}
}

func TestFoundersAreThoseOfAnInstall(t *testing.T) {
	for name, tc := range map[string]struct {
		v     values
		later bool
		want  string
	}{
		"all servers of an install":         {nil, false, "3"},
		"nobody later":                      {values{"replicas": 5}, true, "0"},
		"as many as are asked for":          {values{"replicas": 3, "founders": 1}, false, "1"},
		"nobody if that is what was wanted": {values{"founders": 0}, false, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := render(t, tc.v, tc.later).config.Data["founders"]; got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSecretsOfUsersAreLeftAlone(t *testing.T) {
	if s := render(t, nil, false).secrets; len(s) != 1 || len(s[0].Data["password"]) < 32 {
		t.Errorf("%d secrets, or a short password", len(s))
	}
	if s := render(t, variants["everything"], false).secrets; len(s) != 0 {
		t.Errorf("a secret beside the user's: %v", s[0].Name)
	}
}

// What the init container of each pod writes is taken by the server, and its probes are what the server answers.
func TestEachPodsServerTakesWhatItsInitContainerWrites(t *testing.T) {
	for name, v := range variants {
		if name == "everything" {
			v = maps.Clone(v)
			v["founders"] = 5 // an ensemble to ask is what one process cannot have
		}
		t.Run(name, func(t *testing.T) {
			o := render(t, v, false)
			for ordinal := range int(*o.set.Spec.Replicas) {
				dir := t.TempDir()
				config := configure(t, o, ordinal, dir)
				if n := strings.Count(text0(t, filepath.Join(dir, "conf/zoo.cfg.dynamic")), "server."); n != int(*o.set.Spec.Replicas) {
					t.Errorf("pod %d begins with %d members", ordinal, n)
				}
				accepted(t, config, dir)
			}
		})
	}
}

// configure plays the init container of a pod, its volume being dir, and returns the configuration.
func configure(t *testing.T, o objects, ordinal int, dir string) string {
	t.Helper()
	template := filepath.Join(dir, "template.cfg")
	write(t, template, with(t, o.config.Data["zoo.cfg"], "dataDir", filepath.Join(dir, "data")))
	write(t, filepath.Join(dir, "founders"), o.config.Data["founders"])
	c := o.set.Spec.Template.Spec.InitContainers[0]
	var args []string
	for _, a := range c.Args {
		flag, _, _ := strings.Cut(a, "=")
		switch flag {
		case "--template":
			a = flag + "=" + template
		case "--dir":
			a = flag + "=" + filepath.Join(dir, "conf")
		case "--founders-file":
			a = flag + "=" + filepath.Join(dir, "founders")
		case "--ensemble":
			a = flag + "=127.0.0.1:1" // refuses connections
		}
		args = append(args, a)
	}
	args = append(args, fmt.Sprintf("--hostname=%s-%d", o.set.Name, ordinal), "--found-after=10ms")
	if len(c.Command) != 1 || filepath.Base(c.Command[0]) != "paddock-member" {
		t.Fatalf("the init container runs %q", c.Command)
	}
	cmd := exec.Command(memberBinary, args...)
	cmd.Env = append(os.Environ(), "PADDOCK_SUPER_PASSWORD=secret")
	mustPlay(t, cmd)
	return text0(t, filepath.Join(dir, "conf/zoo.cfg"))
}

// text0 is a file outside the checkout.
func text0(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The jobs' command lines are read by the binary: with nobody to ask they give up, which is not a mistake in the arguments.
func TestJobsAreCommandLinesThatTheBinaryKnows(t *testing.T) {
	o := render(t, nil, true)
	for name, hook := range map[string]string{"leave": "pre-upgrade", "join": "post-install,post-upgrade"} {
		j := o.jobs[name]
		if got := j.Annotations["helm.sh/hook"]; got != hook {
			t.Errorf("%s runs at %q, want %q", name, got, hook)
		}
		c := j.Spec.Template.Spec.Containers[0]
		args := append(slices.Clone(c.Args), "--ensemble=127.0.0.1:1", "--timeout=10ms")
		code, out := play(t, exec.Command(memberBinary, args...))
		if code != 1 || !strings.Contains(out, "gave up") {
			t.Errorf("%s: exit code %d: %s", name, code, out)
		}
	}
}

// manifests are the files of deploy/kubernetes, made of files of the chart.
var manifests = map[string][]string{
	"paddock.yaml": {"configmap.yaml", "services.yaml", "poddisruptionbudget.yaml", "statefulset.yaml"},
	"members.yaml": {"membership.yaml"},
}

func TestManifestsAreWhatTheChartMakes(t *testing.T) {
	o := render(t, values{"superuser": values{"existingSecret": "paddock-superuser"}}, false)
	for name, parts := range manifests {
		var b strings.Builder
		b.WriteString("# Made from deploy/helm/paddock; docs/operations/deployment.md says how to use it.\n")
		for _, p := range parts {
			doc := strings.TrimSpace(strings.ReplaceAll(o.text[p], "namespace: prod", "namespace: paddock"))
			doc = strings.ReplaceAll(strings.TrimPrefix(doc, "---\n"), ".prod.svc", ".paddock.svc")
			var lines []string
			for line := range strings.SplitSeq(doc, "\n") {
				if strings.Contains(line, "helm.sh/") && !strings.Contains(line, "helm.sh/hook") {
					continue
				}
				lines = append(lines, strings.ReplaceAll(strings.TrimRight(line, " "), "managed-by: Helm", "managed-by: kubectl"))
			}
			b.WriteString("---\n" + strings.Join(lines, "\n") + "\n")
		}
		file := filepath.Join(root, "deploy/kubernetes", name)
		if *update {
			write(t, file, b.String())
		}
		if got := text0(t, file); got != b.String() {
			t.Errorf("%s is stale: go test . -run Manifests -update", file)
		}
	}
}
