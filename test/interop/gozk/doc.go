// Package gozk plays github.com/go-zookeeper/zk, the Go client, and its lock against each target.
package gozk
