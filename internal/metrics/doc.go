// Package metrics is what the server counts and times, under ZooKeeper's names.
//
// Whoever has something to count asks the server's one Registry for a Counter, a Gauge, a Summary or a Timer by name
// and keeps it; server/admin lists the registry for the four-letter word mntr.
//
// State. A metric may be used from any number of goroutines at once; there are no locks on the way, only atomic
// additions, and nothing is allocated. Registering takes the registry's mutex.
//
// What it guarantees: a registry holds every metric that ZooKeeper 3.8.0 lists, in ZooKeeper's order, from the start, at
// zero until somebody uses it, so that readers that expect a key find it. The same name is always the same metric. A
// figure is never lost to concurrent use; a list made meanwhile may show an observation in one figure and not yet in
// another.
//
// What it does not do: the gauges that describe the whole server (sessions, znodes, packets) are not here but in the
// status that server/admin is given; labels and sliding windows do not exist, quantiles are those since the last Reset.
//
// Source: the names, groups and units of mntr as ZooKeeper 3.8.0 answers it on a standalone server.
package metrics
