//go:build museum

package replica

// museum names the mistakes that a simulation of whole servers can plant in a Replica.
var museum = map[string]bug{
	"locals outlive relay":  bugLocalsOutliveRelay,
	"locals come to master": bugLocalsComeToMaster,
	"held unheard":          bugHeldUnheard,
}

// Plant has a Replica made from cfg, or its consensus, make a mistake, by its name. It is false if there is none of that name.
// Builds without the tag museum, which are all but those of one test, have neither.
func (cfg *Config) Plant(name string) bool {
	cfg.bug = museum[name]
	return cfg.bug != bugNone || cfg.Core != nil && cfg.Core.Plant(name)
}
