package admin

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"paddock/internal/metrics"
)

// Scrape is the handler of /metrics: the figures of mntr in Prometheus's text form, under the names that ZooKeeper's own provider
// gives them, and those of the Go runtime and the process. Counters have two: that of ZooKeeper up to version 3.9, and that of 3.10
// and later, which ends in _total. source returns the words of the server, nil until there is one; those of the runtime and the process
// are left out unless runtime.
func Scrape(source func() *Words, runtime bool) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(scraper{source})
	if runtime {
		r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// scraper is a collector that does not know beforehand what it will find.
type scraper struct{ source func() *Words }

// Describe implements prometheus.Collector.
func (s scraper) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s scraper) Collect(out chan<- prometheus.Metric) {
	w := s.source()
	if w == nil {
		return
	}
	if server, ok := w.src.Server(); ok {
		w.figures(&server, samples{out})
	}
}

// samples is a list whose figures are sent to Prometheus.
type samples struct{ out chan<- prometheus.Metric }

func (s samples) send(name string, kind prometheus.ValueType, v float64) {
	s.out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, "see ZooKeeper's monitoring", nil, nil), kind, v)
}

// text is a figure that is always 1, with what it says as a label.
func (s samples) text(key, v string) {
	s.out <- prometheus.MustNewConstMetric(prometheus.NewDesc(key+"_info", "what the server says of itself", []string{key}, nil), prometheus.GaugeValue, 1, v)
}

func (s samples) whole(key string, v int64)  { s.send(key, prometheus.GaugeValue, float64(v)) }
func (s samples) real(key string, v float64) { s.send(key, prometheus.GaugeValue, v) }
func (s samples) mean(key string, v float64) { s.send(key, prometheus.GaugeValue, v) }

func (s samples) peer(key string, id, v int64) {
	s.out <- prometheus.MustNewConstMetric(prometheus.NewDesc(key, "of another member", []string{"server"}, nil), prometheus.GaugeValue, float64(v), strconv.FormatInt(id, 10))
}

func (s samples) metric(m *metrics.Metric) {
	switch {
	case m.Counter != nil:
		v := float64(m.Counter.Value())
		s.send(m.Name, prometheus.CounterValue, v)
		if total := totalName(m.Name); total != m.Name {
			s.send(total, prometheus.CounterValue, v)
		}
		return
	case m.Gauge != nil:
		s.send(m.Name, prometheus.GaugeValue, float64(m.Gauge.Value()))
		return
	}
	f, ok := m.Figures()
	if !ok {
		return
	}
	quantiles := map[float64]float64{}
	for _, q := range quantilesOf(m, &f) {
		if quantiles[q.share] = float64(q.at); f.Count == 0 {
			quantiles[q.share] = math.NaN()
		}
	}
	name, labels, values := m.Name, []string(nil), []string(nil)
	if id, rest, ok := strings.Cut(name, "_"); ok && name[0] >= '0' && name[0] <= '9' {
		name, labels, values = rest, []string{"key"}, []string{id} // of one learner
	}
	s.out <- prometheus.MustNewConstSummary(prometheus.NewDesc(name, "see ZooKeeper's monitoring", labels, nil), uint64(f.Count), float64(f.Sum), quantiles, values...)
}

// quantile is the figure at or below which a share of all figures are.
type quantile struct {
	share float64
	at    int64
}

// quantilesOf are those of ZooKeeper's Prometheus provider, the median of every summary and 0.9 and 0.99 of some, and of these the two more
// that mntr has.
func quantilesOf(m *metrics.Metric, f *metrics.Figures) []quantile {
	list := []quantile{{.5, f.P50}, {.9, f.P90}, {.95, f.P95}, {.99, f.P99}, {.999, f.P999}}
	if !m.Quantiles {
		return list[:1]
	}
	return list
}

func (s samples) refused(r *Refused) {
	s.out <- prometheus.MustNewConstMetric(prometheus.NewDesc("refused_clients_total", "turned away, by address", []string{"address", "reason"}, nil),
		prometheus.CounterValue, float64(r.Times), r.Address, r.Reason)
}

// totalName is the name of a counter in ZooKeeper 3.10.
func totalName(name string) string {
	if strings.HasSuffix(name, "_total") {
		return name
	}
	return name + "_total"
}

// Figure is a number by its name on /metrics.
type Figure struct {
	Name  string
	Value float64
}

// Figures are the numbers of /metrics, those of the process apart; false if the server cannot tell now. A summary is its count and
// sum, and its quantiles with the label in the name.
func (w *Words) Figures() ([]Figure, bool) {
	server, ok := w.src.Server()
	if !ok {
		return nil, false
	}
	n := &numbers{}
	w.figures(&server, n)
	return n.list, true
}

// numbers is a list of the figures that are numbers.
type numbers struct{ list []Figure }

func (n *numbers) add(name string, v float64) { n.list = append(n.list, Figure{name, v}) }
func (n *numbers) text(string, string)        {}
func (n *numbers) whole(key string, v int64)  { n.add(key, float64(v)) }
func (n *numbers) real(key string, v float64) { n.add(key, v) }
func (n *numbers) mean(key string, v float64) { n.add(key, v) }
func (n *numbers) peer(key string, id, v int64) {
	n.add(fmt.Sprintf(`%s{server="%d"}`, key, id), float64(v))
}
func (n *numbers) refused(r *Refused) {
	n.add(fmt.Sprintf(`refused_clients_total{address=%q,reason=%q}`, r.Address, r.Reason), float64(r.Times))
}
func (n *numbers) metric(m *metrics.Metric) {
	switch {
	case m.Counter != nil:
		n.add(m.Name, float64(m.Counter.Value()))
		return
	case m.Gauge != nil:
		n.add(m.Name, float64(m.Gauge.Value()))
		return
	}
	f, ok := m.Figures()
	if !ok {
		return
	}
	n.add(m.Name+"_count", float64(f.Count))
	n.add(m.Name+"_sum", float64(f.Sum))
	for _, q := range quantilesOf(m, &f) {
		n.add(fmt.Sprintf(`%s{quantile="%v"}`, m.Name, q.share), float64(q.at))
	}
}
