package archtest

// table is who may import whom. A new edge is a decision: write it down here, in the same commit, and say why in the
// commit message if the arrow is not in docs/architecture.md. The doors (juteapi, grpcapi, admin) never import each
// other, and of the server only grpcapi and gateway import gen.
var table = []Row{
	// The vocabulary.
	{Path: "internal/jute", Ring: Pure},
	{Path: "internal/zk", Ring: Pure, Imports: []string{"internal/jute"}},
	{Path: "internal/txn", Ring: Pure, Imports: []string{"internal/jute", "internal/zk"}},
	{Path: "internal/invariant", Ring: Pure},
	{Path: "internal/queue", Ring: Pure},

	// Consensus.
	{Path: "consensus", Ring: Pure, Imports: []string{"consensus/election", "consensus/quorum", "internal/invariant", "internal/zk"}},
	{Path: "consensus/election", Ring: Pure, Imports: []string{"consensus/quorum", "internal/zk"}},
	{Path: "consensus/quorum", Ring: Pure, Imports: []string{"internal/zk"}},

	// Storage.
	{Path: "storage/tree", Ring: Pure, Imports: []string{"internal/jute", "internal/txn", "internal/zk"},
		AnyOrder: map[string]string{
			"pathsOf":          "paths sorts what it makes of them",
			"unsortedSessions": "its callers sort; Freeze leaves that to the reader of the view, off the owner's path",
		}},
	{Path: "storage/vfs", Ring: Edge},
	{Path: "storage/wal", Ring: Edge, Imports: []string{"internal/txn", "internal/zk", "storage/vfs"}},
	{Path: "storage/snapshot", Ring: Edge,
		Imports: []string{"internal/jute", "internal/zk", "storage/tree", "storage/vfs"},
		Modules: []string{"github.com/klauspost/compress"}},
	{Path: "storage/datadir", Ring: Edge,
		Imports: []string{"internal/txn", "internal/zk", "storage/snapshot", "storage/tree", "storage/vfs", "storage/wal"},
		Modules: []string{"github.com/rs/zerolog"}},

	// The server's pure part.
	{Path: "server/request", Ring: Pure, Imports: []string{"internal/zk"}},
	{Path: "server/auth", Ring: Pure, Imports: []string{"internal/jute", "internal/zk"}},
	{Path: "server/session", Ring: Pure, Imports: []string{"internal/invariant", "internal/zk"}},
	{Path: "server/watch", Ring: Pure, Imports: []string{"internal/invariant", "internal/zk", "server/request"}},
	{Path: "server/prep", Ring: Pure,
		Imports: []string{"consensus/quorum", "internal/jute", "internal/txn", "internal/zk", "server/auth", "storage/tree"}},
	{Path: "server/replica", Ring: Pure,
		Imports: []string{"consensus", "consensus/quorum", "internal/invariant", "internal/jute", "internal/queue", "internal/txn",
			"internal/zk", "server/auth", "server/prep", "server/request", "server/session", "server/watch", "storage/tree"}},

	// The server's edges and drivers.
	{Path: "consensus/transport", Ring: Edge,
		Imports: []string{"consensus", "consensus/election", "consensus/quorum", "internal/jute", "internal/zk", "storage/tree"},
		Modules: []string{"github.com/rs/zerolog"}},
	{Path: "server/config", Ring: Edge, Imports: []string{"consensus/quorum", "internal/zk"}},
	{Path: "server/driver", Ring: Driver,
		Imports: []string{"consensus", "internal/queue", "internal/txn", "internal/zk", "server/replica", "server/request", "storage/tree"},
		Modules: []string{"github.com/rs/zerolog"}},
	{Path: "server/secure", Ring: Edge, Imports: []string{"internal/keystore", "internal/quiet"},
		Modules: []string{"github.com/rs/zerolog", "google.golang.org/grpc"}},
	{Path: "server/juteapi", Ring: Edge,
		Imports: []string{"internal/jute", "internal/quiet", "internal/zk", "server/request", "server/secure"},
		Modules: []string{"github.com/rs/zerolog", "golang.org/x/sys"}},
	{Path: "server/grpcapi", Ring: Edge,
		Imports: []string{"gen/paddock/v1", "internal/jute", "internal/queue", "internal/txn", "internal/zk", "server/auth", "server/driver", "server/request",
			"storage/tree"},
		Modules: []string{"github.com/rs/zerolog", "go.opentelemetry.io/otel", "go.opentelemetry.io/otel/trace", "google.golang.org/genproto/googleapis/rpc",
			"google.golang.org/grpc", "google.golang.org/protobuf"}},
	{Path: "server/tracing", Ring: Edge, Imports: []string{"internal/quiet"},
		Modules: []string{"github.com/rs/zerolog", "go.opentelemetry.io/otel", "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc",
			"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/trace"}},
	{Path: "server/admin", Ring: Edge, Imports: []string{"internal/metrics", "internal/zk"},
		Modules: []string{"github.com/prometheus/client_golang"}},
	{Path: "server", Ring: Driver,
		Imports: []string{"consensus", "consensus/election", "consensus/quorum", "consensus/transport", "gateway", "gateway/console",
			"internal/keystore", "internal/metrics",
			"internal/txn", "internal/zk", "server/admin", "server/auth", "server/config", "server/driver",
			"server/grpcapi", "server/juteapi", "server/prep", "server/replica", "server/request", "server/secure", "server/tracing", "server/watch", "storage/datadir", "storage/snapshot",
			"storage/tree", "storage/vfs", "storage/wal"},
		Modules: []string{"github.com/rs/zerolog", "go.opentelemetry.io/otel/trace", "google.golang.org/grpc"}},
	{Path: "gateway/console", Ring: Edge},
	{Path: "gateway", Ring: Edge,
		Imports: []string{"gen/openapi", "gen/paddock/v1"},
		Modules: []string{"github.com/rs/zerolog", "github.com/grpc-ecosystem/grpc-gateway/v2/runtime", "google.golang.org/genproto/googleapis/rpc",
			"google.golang.org/grpc", "google.golang.org/protobuf"}},

	// What serves the command line and the tests.
	{Path: "internal/metrics", Ring: Edge},
	{Path: "client", Ring: Edge, Imports: []string{"gen/paddock/v1"},
		Modules: []string{"google.golang.org/genproto/googleapis/rpc", "google.golang.org/grpc"}},
	{Path: "internal/quiet", Ring: Edge},
	{Path: "internal/keystore", Ring: Edge,
		Modules: []string{"github.com/pavlo-v-chernykh/keystore-go/v4", "github.com/youmark/pkcs8", "software.sslmate.com/src/go-pkcs12"}},
	{Path: "internal/client", Ring: Edge, Imports: []string{"internal/jute", "internal/zk"}},
	{Path: "internal/bench", Ring: Edge, Imports: []string{"internal/client", "internal/jute", "internal/zk"}},
	{Path: "internal/cli", Ring: Edge, Imports: []string{"client", "gen/paddock/v1", "internal/client", "internal/jute", "internal/zk"}, Modules: []string{"golang.org/x/term", "google.golang.org/grpc"}},
	{Path: "internal/survey", Ring: Edge, Imports: []string{"consensus/quorum", "internal/client", "internal/zk", "storage/snapshot", "storage/vfs"}},
	{Path: "internal/sim", Ring: Driver,
		Imports: []string{"consensus", "consensus/election", "consensus/quorum", "internal/jute", "internal/txn", "internal/zk", "server/auth", "server/prep",
			"server/replica", "server/request", "storage/datadir", "storage/snapshot", "storage/tree", "storage/vfs", "storage/wal"}},
	{Path: "internal/script", Ring: Test},
	{Path: "internal/archtest", Ring: Test},
	{Path: "cmd/paddock", Ring: Edge,
		Imports: []string{"internal/bench", "internal/cli", "internal/survey", "internal/txn", "internal/zk", "server", "server/config", "server/grpcapi", "server/juteapi",
			"storage/datadir", "storage/snapshot", "storage/vfs", "storage/wal"},
		Modules: []string{"github.com/rs/zerolog", "github.com/spf13/cobra", "google.golang.org/grpc"}},
	{Path: "deploy/member", Ring: Edge, Imports: []string{"consensus/quorum", "internal/jute", "internal/zk"}},
	{Path: "test/tour", Ring: Test},
	{Path: "test/doors/rig", Ring: Test, Imports: []string{"client"}},
	{Path: "test/doors/console", Ring: Test},
	{Path: "test/doors/watches", Ring: Test, Imports: []string{"client"}},
	{Path: "test/oracle", Ring: Test},
	{Path: "test/bench", Ring: Test, Imports: []string{"internal/bench", "internal/client", "internal/zk"}},
	{Path: "test/chaos", Ring: Test, Imports: []string{"internal/client", "internal/jute", "internal/zk"},
		Modules: []string{"github.com/anishathalye/porcupine"}},
}

// longFiles are the files that may be longer than the others, each with its reason.
var longFiles = map[string]string{}
