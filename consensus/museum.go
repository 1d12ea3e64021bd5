//go:build museum

package consensus

// museum names the mistakes that a simulation of whole servers can plant in a Core.
var museum = map[string]bug{
	"counts old promise":         bugCountsOldPromise,
	"leads with older history":   bugLeadsWithOlderHistory,
	"counts empty":               bugCountsEmpty,
	"forgets in flight":          bugForgetsInFlight,
	"counts itself at once":      bugCountsItselfAtOnce,
	"old quorum alone":           bugOldQuorumAlone,
	"promises before durable":    bugPromisesBeforeDurable,
	"joins before durable":       bugJoinsBeforeDurable,
	"epoch before history":       bugEpochBeforeHistory,
	"votes for committed":        bugVotesForCommitted,
	"history with holes":         bugHistoryWithHoles,
	"serves before quorum":       bugServesBeforeQuorum,
	"acks before durable":        bugAcksBeforeDurable,
	"leaderinfo before durable":  bugLeaderInfoBeforeDurable,
	"sync at once":               bugSyncAtOnce,
	"durable of what was cut":    bugDurableOfWhatWasCut,
	"keeps history over snap":    bugKeepsHistoryOverSnap,
	"keeps history over trunc":   bugKeepsHistoryOverTrunc,
	"live before history":        bugLiveBeforeHistory,
	"resumes after handover":     bugResumesAfterHandover,
	"joins with proposed config": bugJoinsWithProposedConfig,
	"confirms at once":           bugConfirmsAtOnce,
	"newcomers ahead":            bugNewcomersAhead,
}

// Plant has a Core made from cfg, or its Election, make a mistake, by its name. It is false if there is none of that name. Builds without
// the tag museum, which are all but those of one test, have neither.
func (cfg *Config) Plant(name string) bool {
	cfg.bug = museum[name]
	return cfg.bug != bugNone || cfg.electing.Plant(name)
}
