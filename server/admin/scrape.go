package admin

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"paddock/internal/metrics"
)

// Scrape is the handler of /metrics: the figures of mntr in Prometheus's text form, under the names that ZooKeeper's own provider
// gives them up to version 3.9, and those of the Go runtime and the process. source returns the words of the server, nil
// until there is one.
func Scrape(source func() *Words) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(scraper{source}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
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

func (s samples) metric(m *metrics.Metric) {
	switch {
	case m.Counter != nil:
		s.send(m.Name, prometheus.CounterValue, float64(m.Counter.Value()))
		return
	case m.Gauge != nil:
		s.send(m.Name, prometheus.GaugeValue, float64(m.Gauge.Value()))
		return
	}
	f, ok := m.Figures()
	if !ok || m.Name[0] >= '0' && m.Name[0] <= '9' {
		return // a name that begins with a server's id is none for Prometheus
	}
	quantiles := map[float64]float64{}
	if m.Quantiles {
		quantiles = map[float64]float64{.5: float64(f.P50), .95: float64(f.P95), .99: float64(f.P99), .999: float64(f.P999)}
	}
	s.out <- prometheus.MustNewConstSummary(prometheus.NewDesc(m.Name, "see ZooKeeper's monitoring", nil, nil), uint64(f.Count), float64(f.Sum), quantiles)
}
