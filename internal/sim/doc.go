// Package sim runs one server on a simulated world: the real replica, log, snapshots, tree and data directory, over a file
// system in memory that can lose power at any operation, with simulated clients, clock and schedule.
//
// Its own tests call it, and `make sim`. [Run] plays one seed in one goroutine: a loop takes the place of server/driver's
// goroutines and chooses what goes on next, so that the same seed always gives the same trace. The log syncer, the writing
// of zeros ahead, snapshots and purges are coroutines that stop before every change of the file system.
//
// What it guarantees:
//
//   - A seed is a life story: starts, clients, crashes (power loss or kill), failing disks, starts again. After each crash
//     the server must start, and must have exactly what an independent model has at the zxid it recovered to, which is
//     never behind what a client has been shown.
//   - Beside the crashes that the story goes through, crashes are tried out on copies, at operations that the seed picks:
//     every kind of operation on every kind of file.
//   - Every reply and event is compared with the model while it is given. There is one checker, in a file of its own, for
//     each invariant of docs/invariants.md that a server on its own can violate.
//   - The checkers are tested by mistakes planted around the real code; see [Bugs].
//
// What it does not do: sockets, real time, ensembles.
package sim
