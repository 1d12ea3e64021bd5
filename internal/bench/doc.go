// Package bench is a load generator for the jute protocol: it opens connections to servers, keeps a number of requests
// outstanding on each, and reports operations per second, per CPU second of the server, and latencies.
//
// `paddock bench` and test/bench call Run. On Linux a few pollers, one goroutine for every two processors, own all
// connections; elsewhere each connection has a goroutine. Whoever owns a connection writes many frames with one system call,
// looks at no more of a reply than its header and its length, and counts into a tally of the connection's own; nothing is
// allocated, locked or passed on per request, and a poller hardly ever sleeps, so that the server and not the generator is what is
// measured. Run's own goroutine moves all of them from warming up through measuring to stopping, and adds the tallies up
// once they ended.
//
// Guaranteed: replies are checked to come in order, with the length that is due and a zxid that never falls; a run that
// sees anything else fails. Whatever a run made in the tree lies under one znode of its own and is deleted at the end,
// also when the context is cancelled; only a run that is killed, or whose server dies, leaves it.
//
// Not done: it does not reconnect, does not hold a rate (each connection asks again as soon as it is answered), and does
// not verify data.
//
// Source of the protocol: internal/zk. CPU times: utime and stime of /proc/PID/stat, in ticks of 10 ms.
package bench
