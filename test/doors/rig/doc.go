// Package rig starts Paddock servers for the tests of the gRPC and HTTP doors: real processes of the binary that PADDOCK_BIN names, on
// free ports of the loopback interface. What it starts ends with the test.
package rig
