package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"paddock/client"
)

func ExampleClient() {
	addr, stop := runServer()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for _, name := range []string{"red", "green"} {
		if _, err := c.Put(ctx, "/app/colours/"+name, []byte("a colour"), client.PutOptions{Parents: true}); err != nil {
			log.Fatal(err)
		}
	}
	for child, err := range c.Children(ctx, "/app/colours", client.ListOptions{Data: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", child.Path, child.Data)
	}
	_, err = c.Get(ctx, "/app/colours/blue")
	fmt.Println(errors.Is(err, client.ErrNoNode))
	// Output:
	// green: a colour
	// red: a colour
	// true
}

// A change is made to what was read, or not at all.
func ExampleZnodes_Set() {
	addr, stop := runServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Put(ctx, "/counter", []byte("1"), client.PutOptions{}); err != nil {
		log.Fatal(err)
	}

	read, err := c.Get(ctx, "/counter")
	if err != nil {
		log.Fatal(err)
	}
	set, err := c.Set(ctx, "/counter", []byte("2"), read.Stat.Version)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("version", set.Stat.Version)
	_, err = c.Set(ctx, "/counter", []byte("3"), read.Stat.Version)
	fmt.Println(errors.Is(err, client.ErrBadVersion))
	// Output:
	// version 1
	// true
}

func ExampleZnodes_Transact() {
	addr, stop := runServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	begin := client.Transaction{
		If:   []client.Guard{client.IfAbsent("/job")},
		Then: []client.Op{client.OpCreate("/job", []byte("new"), client.CreateOptions{}), client.OpCreate("/job/log", nil, client.CreateOptions{})},
		Else: []client.Op{client.OpSet("/job", []byte("again"), client.AnyVersion)},
	}
	for range 2 {
		out, err := c.Transact(ctx, begin)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(out.Held, len(out.Results))
	}
	// Output:
	// true 2
	// false 1
}

// What a session creates as ephemeral goes with it.
func ExampleClient_OpenSession() {
	addr, stop := runServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	s, err := c.OpenSession(ctx, 10*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := s.Create(ctx, "/alive", nil, client.CreateOptions{Mode: client.Ephemeral}); err != nil {
		log.Fatal(err)
	}
	_, there, err := c.Exists(ctx, "/alive")
	fmt.Println(there, err)
	if err := s.Close(ctx); err != nil {
		log.Fatal(err)
	}
	_, there, err = c.Exists(ctx, "/alive")
	fmt.Println(there, err)
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleSession_Lock() {
	addr, stop := runServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.OpenSession(ctx, 10*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close(ctx)

	lock, err := s.Lock(ctx, "/app/lock", []byte("worker 1"))
	if err != nil {
		log.Fatal(err)
	}
	select {
	case <-lock.Lost():
		fmt.Println("another may have it")
	default:
		fmt.Println("work that names the token", lock.Token > 0)
	}
	if err := lock.Unlock(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// work that names the token true
}

func ExampleSession_Campaign() {
	addr, stop := runServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.OpenSession(ctx, 10*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close(ctx)

	mine, err := s.Campaign(ctx, "/app/leader", []byte("10.0.0.1:80"))
	if err != nil {
		log.Fatal(err)
	}
	leader, err := c.Leader(ctx, "/app/leader")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s leads\n", leader.Value)
	if err := mine.Resign(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 10.0.0.1:80 leads
}

func ExampleZnodes_Watch() {
	addr, stop := runServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	w, err := c.Watch(ctx, "/app", client.WatchOptions{Scope: client.Recursive, Data: true})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	for _, value := range []string{"one", "two"} {
		if _, err := c.Put(ctx, "/app/config", []byte(value), client.PutOptions{Parents: true}); err != nil {
			log.Fatal(err)
		}
	}
	for n := 0; n < 3; {
		event := <-w.C
		for _, change := range event.Changes {
			fmt.Printf("%s %s %q\n", change.Path, change.Type, change.Data)
			n++
		}
	}
	// Output:
	// /app created ""
	// /app/config created "one"
	// /app/config changed "two"
}

func ExampleZnodes_Cache() {
	addr, stop := runServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Put(ctx, "/app/size", []byte("small"), client.PutOptions{Parents: true}); err != nil {
		log.Fatal(err)
	}

	cache, err := c.Cache(ctx, "/app")
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()
	put, err := c.Put(ctx, "/app/size", []byte("large"), client.PutOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for {
		zxid, changed := cache.Zxid()
		if zxid >= put.Zxid {
			break
		}
		<-changed
	}
	size, _ := cache.Get("/app/size")
	fmt.Println(cache.Children("/app"), string(size.Data))
	// Output:
	// [size] large
}

// Requests of a pipeline are done in order, and need not wait for each other.
func ExampleZnodes_Pipeline() {
	addr, stop := runServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	p, err := c.Pipeline(ctx)
	if err != nil {
		log.Fatal(err)
	}
	p.Put("/queue", nil, client.PutOptions{})
	var made []*client.Pending
	for i := range 3 {
		made = append(made, p.Create("/queue/item-", fmt.Append(nil, i), client.CreateOptions{Mode: client.PersistentSequential}))
	}
	last := p.Get("/queue/item-0000000002")
	if err := p.Close(); err != nil {
		log.Fatal(err)
	}
	for _, m := range made {
		znode, err := m.Wait(ctx)
		fmt.Println(znode.Path, err)
	}
	znode, err := last.Wait(ctx)
	fmt.Println(string(znode.Data), err)
	// Output:
	// /queue/item-0000000000 <nil>
	// /queue/item-0000000001 <nil>
	// /queue/item-0000000002 <nil>
	// 2 <nil>
}
