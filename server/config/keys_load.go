package config

// Reasons of keys that have nothing to act on.
const (
	reasonGroup   = "a group is whatever has gathered while the last sync ran"
	reasonMemory  = "requests in flight are bounded by the memory they take"
	reasonStale   = "what a closed connection asked and was not begun is dropped in any case"
	reasonNoCache = "replies are not cached"
	reasonMetrics = "metrics are in mntr only"
)

var loadKeys = []Key{
	{Name: "globalOutstandingLimit", Property: true, Kind: KindInt, Default: "1000", Effect: "unanswered requests before sockets are no longer read",
		Status: Ignored, Reason: reasonMemory},
	{Name: "request_throttle_max_requests", Aliases: []string{"requestThrottleLimit"}, Property: true, Kind: KindInt, Default: "0", Effect: "requests in flight before new ones wait; 0 = off",
		Status: Ignored, Reason: reasonMemory},
	{Name: "request_throttle_stall_time", Aliases: []string{"requestThrottleStallTime"}, Property: true, Kind: KindMillis, Default: "100", Effect: "longest wait before looking again",
		Status: Ignored, Reason: reasonMemory},
	{Name: "request_throttle_drop_stale", Aliases: []string{"requestThrottleDropStale"}, Property: true, Kind: KindBool, Default: "true", Effect: "drop waiting requests that became stale",
		Status: Ignored, Reason: reasonStale},
	{Name: "request_stale_latency_check", Aliases: []string{"requestStaleLatencyCheck"}, Property: true, Kind: KindBool, Default: "false", Effect: "a request older than its session's timeout is stale",
		Status: Ignored, Reason: reasonStale},
	{Name: "request_stale_connection_check", Aliases: []string{"requestStaleConnectionCheck"}, Property: true, Kind: KindBool, Default: "true", Effect: "a request of a closed connection is stale",
		Status: Ignored, Reason: reasonStale},
	{Name: "request_throttler.shutdownTimeout", Property: true, Kind: KindMillis, Default: "10000", Effect: "time for requests in flight at shutdown",
		bind: func(c *Config) any { return &c.Requests.ShutdownTimeout }},
	{Name: "throttled_op_wait_time", Aliases: []string{"throttledOpWaitTime"}, Property: true, Kind: KindMillis, Default: "0", Effect: "time in the queue after which the reply is THROTTLEDOP; 0 = off",
		Status: Ignored, Reason: reasonMemory},
	{Name: "largeRequestMaxBytes", Property: true, Kind: KindBytes, Default: "104857600", Effect: "bytes of large requests in flight; one more closes its connection",
		Status: Ignored, Reason: reasonMemory},
	{Name: "largeRequestThreshold", Property: true, Kind: KindBytes, Default: "-1", Effect: "size from which a request is large; -1 = none is",
		Status: Ignored, Reason: reasonMemory},
	{Name: "connection_throttle_tokens", Aliases: []string{"connectionMaxTokens"}, Property: true, Kind: KindInt, Default: "0", Effect: "token bucket for new sessions; 0 = off",
		bind: func(c *Config) any { return &c.Connect.Tokens }},
	{Name: "connection_throttle_fill_time", Aliases: []string{"connectionTokenFillTime"}, Property: true, Kind: KindMillis, Default: "1", Effect: "time between refills",
		bind: func(c *Config) any { return &c.Connect.FillTime }},
	{Name: "connection_throttle_fill_count", Aliases: []string{"connectionTokenFillCount"}, Property: true, Kind: KindInt, Default: "1", Effect: "tokens per refill",
		bind: func(c *Config) any { return &c.Connect.FillCount }},
	{Name: "connection_throttle_freeze_time", Aliases: []string{"connectionFreezeTime"}, Property: true, Kind: KindMillis, Default: "-1", Effect: "time between changes of the drop probability; -1 = off",
		bind: func(c *Config) any { return &c.Connect.FreezeTime }},
	{Name: "connection_throttle_drop_increase", Aliases: []string{"connectionDropIncrease"}, Property: true, Kind: KindFloat, Default: "0.02", Effect: "step up of the drop probability",
		bind: func(c *Config) any { return &c.Connect.DropIncrease }},
	{Name: "connection_throttle_drop_decrease", Aliases: []string{"connectionDropDecrease"}, Property: true, Kind: KindFloat, Default: "0.002", Effect: "step down of the drop probability",
		bind: func(c *Config) any { return &c.Connect.DropDecrease }},
	{Name: "connection_throttle_decrease_ratio", Aliases: []string{"connectionDecreaseRatio"}, Property: true, Kind: KindFloat, Default: "0", Effect: "share of free tokens above which the probability steps down",
		bind: func(c *Config) any { return &c.Connect.DecreaseRatio }},
	{Name: "connection_throttle_weight_enabled", Property: true, Kind: KindBool, Default: "false", Effect: "tokens by kind of session",
		bind: func(c *Config) any { return &c.Connect.WeightEnabled }},
	{Name: "connection_throttle_global_session_weight", Property: true, Kind: KindInt, Default: "3", Effect: "tokens of a new global session",
		bind: func(c *Config) any { return &c.Connect.GlobalWeight }},
	{Name: "connection_throttle_local_session_weight", Property: true, Kind: KindInt, Default: "1", Effect: "tokens of a new local session",
		bind: func(c *Config) any { return &c.Connect.LocalWeight }},
	{Name: "connection_throttle_renew_session_weight", Property: true, Kind: KindInt, Default: "2", Effect: "tokens of a session that comes back",
		bind: func(c *Config) any { return &c.Connect.RenewWeight }},
	{Name: "nio.sessionlessCnxnTimeout", Property: true, Kind: KindMillis, Default: "10000", Effect: "time in which a connection must open a session",
		bind: func(c *Config) any { return &c.Client.SessionlessTimeout }},
}

var adminKeys = []Key{
	{Name: "admin.enableServer", Property: true, Kind: KindBool, Default: "true", Effect: "AdminServer commands on the HTTP door; false also closes the door unless httpPort is given",
		bind: func(c *Config) any { return &c.HTTP.Commands }},
	{Name: "admin.serverPort", Property: true, Kind: KindPort, Default: "8080", Effect: "ZooKeeper's name of httpPort"},
	{Name: "admin.serverAddress", Property: true, Kind: KindHost, Default: "127.0.0.1", Effect: "ZooKeeper's name of httpAddress"},
	{Name: "admin.idleTimeout", Property: true, Kind: KindMillis, Default: "30000", Effect: "idle time of HTTP connections",
		bind: func(c *Config) any { return &c.HTTP.IdleTimeout }},
	{Name: "admin.commandURL", Property: true, Kind: KindString, Default: "/commands", Effect: "path of the AdminServer commands",
		bind: func(c *Config) any { return &c.HTTP.CommandPath }},
	{Name: "admin.rateLimiterIntervalInMS", Property: true, Kind: KindMillis, Default: "300000", Effect: "time between two snapshot commands",
		bind: func(c *Config) any { return &c.HTTP.SnapshotEvery }},
	{Name: "admin.snapshot.enabled", Property: true, Kind: KindBool, Default: "true", Effect: "snapshot command",
		bind: func(c *Config) any { return &c.HTTP.Snapshots }},
	{Name: "admin.restore.enabled", Property: true, Kind: KindBool, Default: "true", Effect: "restore command",
		Status: Ignored, Reason: "a running server restores nothing: see the command's answer"},
	{Name: "metricsProvider.className", Kind: KindString, Note: "built in", Effect: "the PrometheusMetricsProvider's name is accepted with a warning: nothing is exported yet, mntr has the figures",
		bind: func(c *Config) any { return &c.Metrics.Provider }},
	{Name: "metricsProvider.httpHost", Kind: KindHost, Default: "0.0.0.0", Effect: "address of metricsProvider.httpPort",
		bind: func(c *Config) any { return &c.Metrics.Address }},
	{Name: "metricsProvider.httpPort", Kind: KindPort, Note: "7000 with the Prometheus provider", Default: "0", Effect: "extra port for /metrics",
		bind: func(c *Config) any { return &c.Metrics.Port }},
	{Name: "metricsProvider.exportJvmInfo", Kind: KindBool, Default: "true", Effect: "metrics of the Go runtime",
		Status: Later, Reason: reasonMetrics, asks: never},
	{Name: "audit.enable", Property: true, Kind: KindBool, Default: "false", Effect: "audit log",
		Status: Later, Reason: "the audit log comes later", asks: isTrue},
}
