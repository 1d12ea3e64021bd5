// Package queue is a first-in first-out list that reuses its memory. The replica and the driver keep in it what waits.
//
// It belongs to one goroutine. It bounds nothing: whoever pushes does.
package queue
