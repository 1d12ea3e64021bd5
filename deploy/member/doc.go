// Command member keeps the members of an ensemble and the pods of a StatefulSet the same.
//
// Three places of deploy/helm and deploy/kubernetes call it; people rarely do. `configure` runs before each start of a
// server and writes its zoo.cfg; `join` makes the first N servers voters; `leave` removes all others; `list` prints the
// members as a server has them. join and leave ask any server for the members and go on until they are as wanted, so that
// either may be repeated, or be interrupted.
//
// The server N of the ensemble is the pod with ordinal N-1, under a name that outlives the pod's address.
//
// What it guarantees: configure keeps the list of members of a server that is one, because the servers change theirs at
// run time; a server that does not found the ensemble, or is back after it was removed, begins as an observer of it, so that
// empty servers and old lists never outvote data; members leave and join by the ensemble's own agreement, one added at a time.
//
// What it does not do: start servers, talk to Kubernetes, or decide how many servers there should be.
//
// Source: ZooKeeper's dynamic reconfiguration (opcode 16, /zookeeper/config), and its advice to start joiners as observers.
package main
