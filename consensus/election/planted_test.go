package election

import "testing"

// plantedSeedsMax is within how many seeds the simulation finds each mistake.
const plantedSeedsMax = 200

func TestPlantedBugsAreFound(t *testing.T) {
	names := map[bug]string{
		bugZxidFirst:      "the zxid counts before the epoch",
		bugDeafAtTheEnd:   "a better vote is not heard while waiting for one",
		bugOldRounds:      "votes of earlier rounds count",
		bugUninitialized:  "an empty member votes",
		bugUnknownIsDown:  "a voter of which nothing is known is not waited for",
		bugLeaderUnheard:  "a leader is followed that was not heard of itself",
		bugRoundsCompared: "those who have a leader must agree on the round",
		bugWeightless:     "a server of weight 0 is voted for",
		bugOneConfig:      "the proposed configuration is not asked",
		bugNoRepeat:       "a vote is never repeated",
		bugNoBackOff:      "a vote is repeated every 200 ms",
		bugNoAnswer:       "who looks is not answered",
		bugEndlessAnswers: "everything is answered, again and again",
		bugEpochKept:      "the epoch that began after the election is not told",
	}
	for planted := bugNone + 1; planted < bugs; planted++ {
		if planted == bugNewcomersUnheard {
			continue // no storm has voters that need newcomers; a story of TestStories has, and simulations of whole servers
		}
		t.Run(names[planted], func(t *testing.T) {
			for seed := uint64(1); seed <= plantedSeedsMax; seed++ {
				if w := storm(seed, planted); len(w.failures) > 0 {
					t.Logf("seed %d: %s", seed, w.failures[0])
					return
				}
			}
			t.Errorf("not found in %d seeds", plantedSeedsMax)
		})
	}
}
