package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// commandPaths are those that ZooKeeper's commands can be at, ownPaths those that are something else's.
var (
	commandPaths = regexp.MustCompile(`^(/[A-Za-z0-9_-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?)+$`)
	ownPaths     = regexp.MustCompile(`^/(v1|openapi\.json|livez|readyz|metrics)(/|$)`)
)

// checkHTTP joins Paddock's names of the HTTP door with ZooKeeper's.
func (l *loader) checkHTTP() {
	h := &l.c.HTTP
	if port := l.c.settings["admin.serverPort"]; l.given("admin.serverPort") {
		switch own := l.c.settings["httpPort"]; {
		case !l.given("httpPort"):
			h.Port, _ = strconv.Atoi(port.Value)
			l.derive("httpPort", port.Value, "= admin.serverPort")
		case own.Value != port.Value:
			l.problem(l.at("admin.serverPort"), fmt.Sprintf("admin.serverPort %s and httpPort %s (%s) name the same door", port.Value, own.Value, own.Origin), "remove one of them")
		}
	}
	if addr := l.c.settings["admin.serverAddress"]; l.given("admin.serverAddress") {
		switch own := l.c.settings["httpAddress"]; {
		case !l.given("httpAddress"):
			h.Address = addr.Value
			l.derive("httpAddress", addr.Value, "= admin.serverAddress")
		case own.Value != addr.Value:
			l.problem(l.at("admin.serverAddress"), fmt.Sprintf("admin.serverAddress %s and httpAddress %s (%s) name the same door", addr.Value, own.Value, own.Origin), "remove one of them")
		}
	}
	given := h.CommandPath
	h.CommandPath = strings.TrimRight(given, "/")
	if !commandPaths.MatchString(h.CommandPath) || ownPaths.MatchString(h.CommandPath) {
		l.problem(l.at("admin.commandURL"), fmt.Sprintf("%q cannot be the path of the commands", given),
			"write a path such as /commands, of letters, digits, - and _, and none of the HTTP port's own: /v1, /openapi.json, /livez, /readyz, /metrics")
	}
	if !h.Commands && !l.given("httpPort") {
		h.Port = 0
		l.derive("httpPort", "0", "admin.enableServer=false")
	}
}

// Values of Metrics.Provider.
const (
	MetricsBuiltIn    = ""           // metrics on the HTTP door and in mntr
	MetricsPrometheus = "prometheus" // and on metricsProvider.httpPort
	MetricsNone       = "none"       // switched off
)

func (l *loader) checkMetrics() {
	m := &l.c.Metrics
	_, class := m.Provider, m.Provider[strings.LastIndexByte(m.Provider, '.')+1:]
	switch class {
	case "", "DefaultMetricsProvider":
		m.Provider = MetricsBuiltIn
	case "NullMetricsProvider":
		m.Provider = MetricsNone
	case "PrometheusMetricsProvider":
		m.Provider = MetricsPrometheus
		if !l.given("metricsProvider.httpPort") {
			m.Port = 7000
			l.derive("metricsProvider.httpPort", "7000", "default of the Prometheus provider")
		}
		return
	default:
		l.warn(l.at("metricsProvider.className"), fmt.Sprintf("metrics provider class %s is not known, the built-in one is used", m.Provider), "remove the line")
		m.Provider = MetricsBuiltIn
	}
	m.Port = 0
}

// checkDoors refuses two doors on one port. A door that is open by default only gives way instead,
// so that a ZooKeeper configuration that uses its port goes on working.
func (l *loader) checkDoors() {
	c := l.c
	if c.Client.Port == 0 && c.Client.Secure.Port == 0 && l.parsed("clientPort") && l.parsed("clientPortAddress") {
		e := l.at("clientPort")
		e.key = "" // the text says it
		l.warn(e, "no client port configured: no client can connect", "add clientPort=2181")
	}
	doors := []struct {
		key  string
		door *Door
	}{
		{"clientPort", &c.Client.Door}, {"secureClientPort", &c.Client.Secure}, {"metricsProvider.httpPort", &c.Metrics.Door}, {"httpPort", &c.HTTP.Door}, {"grpcPort", &c.GRPC},
	}
	for i, d := range doors {
		for _, other := range doors[:i] {
			if d.door.Port == 0 || d.door.Port != other.door.Port || !overlap(d.door.Address, other.door.Address) {
				continue
			}
			if own := d.key == "httpPort" || d.key == "grpcPort"; own && l.c.settings[d.key].Origin.Kind == OriginDefault {
				l.warn(l.at(other.key), fmt.Sprintf("%s uses port %d, so %s stays closed", other.key, d.door.Port, d.key), "set "+d.key+" to a free port")
				d.door.Port = 0
				l.derive(d.key, "0", other.key+" uses the port")
				continue
			}
			l.problem(l.at(d.key), fmt.Sprintf("%s and %s are both %d", other.key, d.key, d.door.Port), "use two ports")
		}
	}
}

// overlap reports whether two listeners with the same port would collide.
func overlap(a, b string) bool {
	wild := func(s string) bool { return s == "" || s == "0.0.0.0" || s == "::" }
	return wild(a) || wild(b) || strings.EqualFold(a, b)
}
