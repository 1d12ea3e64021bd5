// Package survey examines a running ensemble, of ZooKeeper's or Paddock's servers, before it is migrated: what its members say of
// themselves on their client ports, and what a data directory holds.
//
// `paddock migrate check` calls it, from one goroutine. [Ask] collects what is there and [Examine] judges it, which is pure: the
// same answers give the same [Report].
//
// It reads only. It opens a session, which is written to the ensemble's log, only where the word conf is not allowed; it writes no
// znode. What cannot be known, because a word is not in 4lw.commands.whitelist, is said.
//
// Source: the four-letter words of ZooKeeper 3.4 to 3.10.
package survey
