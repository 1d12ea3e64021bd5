package replica

// bug is a mistake that a test plants, to see that the simulation finds it. Servers have none.
type bug uint8

const (
	bugNone               bug = iota
	bugLocalsOutliveRelay     // local sessions live on, whether or not a master passes on or has passed on what they ask
	bugLocalsComeToMaster     // they live on when their server gets an observer master
	bugHeldUnheard            // what a leader holds is no word of its session
)
