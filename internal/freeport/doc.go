// Package freeport gives the servers that tests of this module start ports of the loopback interface: none twice, in one
// process or in several that run side by side.
//
// The ports are below the range from which Linux gives ports to outgoing connections (ip_local_port_range, from 32768). Inside it a
// client that keeps dialling a server that is down could be given that server's own port, connect to itself, and keep the server from
// listening again.
package freeport
