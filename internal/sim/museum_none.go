//go:build !museum

package sim

import "paddock/consensus"

// plantCore has a Core made from cfg make a mistake. It is false: only builds with the tag museum have mistakes to make.
func plantCore(*consensus.Config, string) bool { return false }
