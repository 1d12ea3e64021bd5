package descriptors

// Use is what a descriptor is for.
type Use uint8

// Who may come how close to the limit of open files: clients leave keptMax of them, or a quarter if those are fewer, of which operators leave half.
const (
	Clients   Use = iota
	Operators     // of the HTTP ports: probes, metrics
)

// keptMax is how many descriptors are kept from clients.
const keptMax = 64

// first is the lowest descriptor that is kept from a use, under a limit of open files.
func first(limit uint64, u Use) uint64 {
	kept := min(limit/4, keptMax)
	if u == Operators {
		kept /= 2
	}
	return limit - kept
}
