package zk

// Trace is when a server was done with each part of its work on one request: nanoseconds since 1970, and 0 for what there was not, or
// is not known. It belongs to the server until the reply is handed over.
type Trace struct {
	Queued   int64 // handed to the server
	Taken    int64 // taken out of the queue
	Appended int64 // the txn was put into this server's log; a leader has judged the request before, another server has asked the leader
	Durable  int64 // the log is durable up to the txn
	Decided  int64 // the server knew that the txn is committed, and had applied those before it
	Applied  int64 // the txn was applied to the tree
	Replied  int64 // the reply was made
}
