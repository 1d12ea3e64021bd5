// Package quorum says who is in an ensemble and who is enough: its configuration, with the text that servers exchange
// and store, and whether the servers that have done something form a quorum.
//
// consensus asks it for acks and followers, election for votes, transport for addresses; server/config fills one from
// files. It is pure: a Config never changes once it is made, and sets of server ids give a yes or no.
//
// It does not read files, resolve names, or know which configuration is in force.
//
// Source: ZooKeeper's majority and hierarchical quorums, and the format of its dynamic configuration.
package quorum
