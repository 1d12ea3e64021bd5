//go:build museum

package sim

import "paddock/server/replica"

// plantInside has a Replica made from cfg make a mistake. It is false if it cannot.
func plantInside(cfg *replica.Config, name string) bool { return cfg.Plant(name) }
