package config

import (
	"maps"
	"slices"
)

// AtRunTime tells whether a key can be changed while the server runs.
func AtRunTime(key string) bool { return key == "maxClientCnxns" }

// Changed lists the keys whose values differ between two configurations, sorted. Lists of members are not compared:
// a server that allows it changes them by reconfiguration.
func Changed(before, after *Config) []string {
	var keys []string
	for _, name := range slices.Sorted(maps.Keys(after.settings)) {
		if before.settings[name].Value != after.settings[name].Value {
			keys = append(keys, name)
		}
	}
	for name := range before.settings {
		if _, ok := after.settings[name]; !ok {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	return keys
}
