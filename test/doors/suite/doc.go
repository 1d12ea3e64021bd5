// Package suite asks the same of a server through each of its doors: ZooKeeper's own protocol, gRPC and REST, as unmodified clients of each
// would. A door turns a step into a request of its own and the answer into an answer that all doors share, in which times are only checked and
// sessions have numbers in place of ids; answers, errors and zxids must then be equal. Other tests cross the doors: what is done through one
// shows through the others, on one server and on an ensemble whose leader is killed or paused.
package suite
