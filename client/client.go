package client

import (
	"google.golang.org/grpc"
)

// Client reads and writes znodes without a session, and opens sessions. Close ends it.
type Client struct {
	Znodes
	servers *servers
}

// Dial returns a client of the servers at the given addresses, as host:port of their grpcPort. It connects when it is needed, so it fails
// only on addresses and options that cannot be.
func Dial(addrs []string, o Options) (*Client, error) {
	s, err := dial(addrs, o)
	if err != nil {
		return nil, err
	}
	return &Client{Znodes: znodesOn(s, nil), servers: s}, nil
}

// Conn is what to make clients of other services of paddock.v1 on, such as AdminService. Its calls go to one server at a time; none is repeated.
func (c *Client) Conn() grpc.ClientConnInterface { return c.servers }

// Close ends all connections, and with them Sessions, Watches and Caches, by ErrClosed. Sessions should be closed before; the servers let them
// expire otherwise.
func (c *Client) Close() { c.servers.close() }
