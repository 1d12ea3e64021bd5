// Package nonblock writes to a socket what that takes at once, and leaves the rest to whoever may wait for it.
//
// The doors and the links between servers use it where a goroutine that must not wait sends by itself: that saves waking
// another one for what nearly always fits into the socket's buffer.
package nonblock
