// Package transport connects the servers of an ensemble: ZooKeeper's election port and quorum port, for ZooKeeper 3.5
// to 3.9 and Paddock alike. It is the only package that knows what servers say to each other byte by byte.
//
// server/driver owns a Transport: it runs it, calls its methods (none of which waits for anything), and is told what
// arrives through a Handler. One goroutine, Run's, owns the election connections; each connection has a goroutine that
// reads and one that writes.
//
// It guarantees that there is at most one election connection to another server, whoever dialled and in whatever
// order servers start; that messages of one link arrive complete and in order, or the link ends; that no length from
// outside is believed before the bytes have come; that whoever is silent, slow or hostile loses its own connection
// and nothing else; and that a listener serves, or Run returns an error.
//
// It does not understand what it carries: votes are judged in consensus/election, messages in consensus. It does not
// encrypt or authenticate yet; dial and accept have one place each where that will be.
//
// Source: ZooKeeper 3.8, QuorumCnxManager, LearnerHandler, Learner and the records of zookeeper.jute.
package transport
