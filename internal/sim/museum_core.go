//go:build museum

package sim

import "paddock/consensus"

// plantCore has a Core made from cfg make a mistake. It is false if it cannot.
func plantCore(cfg *consensus.Config, name string) bool { return cfg.Plant(name) }
