//go:build !museum

package sim

import "paddock/server/replica"

// plantInside has a Replica made from cfg make a mistake. It is false: only builds with the tag museum have mistakes to make.
func plantInside(*replica.Config, string) bool { return false }
