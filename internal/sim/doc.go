// Package sim runs servers on simulated worlds.
//
// One server ([Run]): the real replica, log, snapshots, tree and data directory, over a file
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
// Whole ensembles ([RunEnsemble], `make sim-ensemble`): several such servers with consensus, on an agenda of simulated
// milliseconds. A network carries their messages in order, late, and not at all; clients move between servers. A server
// loses its power at any change of its disk, stops for a while, has its clock set, is cut off from others, gets an empty disk.
// Configurations change and leadership is handed over. Some ensembles have groups and weights, some sessions that are local to a
// server, and some members serve reads alone while they have no leader; in some, clients seldom write and often sync,
// leadership is handed over all the time, or many voters are replaced at once and crash over it (worlds.go). In the end all faults
// cease, and everybody must serve and have the same.
//
//   - What is decided becomes the model's, in the order of the zxids; so replies, events and trees of all servers are compared
//     with the same model as one server's. What no server knows, such as who led which epoch, is in check_history.go and
//     check_tenure.go.
//   - The checkers are tested by an exhibition of mistakes that ZooKeeper and others have made; see museum.go and `make museum`.
//
// What it does not do: sockets, real time.
package sim
