//go:build museum

package election

// museum names the mistakes that a simulation of whole servers can plant in an Election.
var museum = map[string]bug{
	"newcomers unheard": bugNewcomersUnheard,
}

// Plant has an Election made from cfg make a mistake, by its name. It is false if there is none of that name. Builds without
// the tag museum, which are all but those of one test, have neither.
func (cfg *Config) Plant(name string) bool {
	cfg.bug = museum[name]
	return cfg.bug != bugNone
}
