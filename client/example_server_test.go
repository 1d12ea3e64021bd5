package client_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/rs/zerolog"

	"paddock/client"
	"paddock/server"
	"paddock/server/config"
)

// runServer runs a server of its own for an example: its address for Dial, and what ends it.
func runServer() (addr string, stop func()) {
	dir, err := os.MkdirTemp("", "paddock-example")
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	addr = l.Addr().String()
	if err := l.Close(); err != nil {
		panic(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		panic(err)
	}
	cfg, _, err := config.Load(config.Source{Dir: dir, Args: []string{"dataDir=" + dir, "clientPort=0", "httpPort=0", "grpcPort=" + port}})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, server.Options{Config: cfg, Logger: zerolog.Nop(), PID: os.Getpid()}) }()
	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		panic(err)
	}
	defer c.Close()
	wait, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	if _, _, err := c.Exists(wait, "/"); err != nil { // asked again until it serves
		panic(err)
	}
	return addr, func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Println(err)
		}
		os.RemoveAll(dir)
	}
}
