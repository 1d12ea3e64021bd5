// Package admission bounds the connections of a port, by address and in all. Further ones are closed; where the protocol has a way to
// do so they are told why. The gRPC and HTTP ports stand behind it; the client port, whose protocol has none, counts by itself.
package admission
