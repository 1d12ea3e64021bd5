package tracing

import (
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheEnvironmentSaysWhetherSpansAreWanted(t *testing.T) {
	const at = "http://collector:4317"
	for name, c := range map[string]struct {
		env  map[string]string
		on   bool
		says string // the error
	}{
		"nothing is said":                       {nil, false, ""},
		"there is a collector":                  {map[string]string{envEndpoint: at}, true, ""},
		"there is a collector of traces":        {map[string]string{envTracesEndpoint: at}, true, ""},
		"all of OpenTelemetry is switched off":  {map[string]string{envEndpoint: at, envDisabled: "TRUE"}, false, ""},
		"traces go nowhere":                     {map[string]string{envEndpoint: at, envExporter: "none"}, false, ""},
		"traces go to otlp":                     {map[string]string{envEndpoint: at, envExporter: "otlp"}, true, ""},
		"traces go elsewhere":                   {map[string]string{envEndpoint: at, envExporter: "zipkin"}, false, envExporter},
		"the protocol is another":               {map[string]string{envEndpoint: at, envProtocol: "http/protobuf"}, false, envProtocol},
		"the protocol of traces is the right":   {map[string]string{envEndpoint: at, envProtocol: "http/json", envTracesProtocol: "grpc"}, true, ""},
		"the sampler is known":                  {map[string]string{envEndpoint: at, envSampler: "traceidratio"}, true, ""},
		"the sampler is not known":              {map[string]string{envEndpoint: at, envSampler: "sometimes"}, false, envSampler},
		"without a collector nothing is judged": {map[string]string{envSampler: "sometimes"}, false, ""},
	} {
		on, err := wanted(func(key string) string { return c.env[key] })
		if on != c.on || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", name, on, err)
		}
	}
}

func TestWithoutACollectorThereIsNoTracer(t *testing.T) {
	for _, key := range []string{envEndpoint, envTracesEndpoint} {
		t.Setenv(key, "")
	}
	p, err := New(t.Context(), Options{Logger: zerolog.Nop()})
	if p != nil || err != nil || p.Tracer() != nil || p.Stop(t.Context()) != nil {
		t.Errorf("%v, %v", p, err)
	}
}
