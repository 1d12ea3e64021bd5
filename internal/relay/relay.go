package relay

// Run runs loop until it has ended, calls end with its result, and returns.
//
// What loop calls may call pass, once and from any goroutine: then loop is begun anew in another, and the call that was held up must make loop
// return false at once, without touching what it shares with the other. What the loop has come to must be in memory that both see.
// end is called once, in the goroutine in which the loop has ended, and does not wait for those that are held up; Run does where that is its own.
func Run[T any](loop func(pass func()) (ended bool, result T), end func(T)) {
	done := make(chan struct{})
	var run func()
	pass := func() { go run() } // ends with the loop, for which Run waits
	run = func() {
		if ended, result := loop(pass); ended {
			end(result)
			close(done)
		}
	}
	run()
	<-done
}
