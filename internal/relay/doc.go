// Package relay runs a loop that may go on in another goroutine while the one that it ran in is held up. A reader that does some of the work
// of whom it hands its requests to is relieved so.
package relay
