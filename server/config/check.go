package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// check holds every rule that concerns more than one value, in the order in which values depend on each other.
func (l *loader) check() {
	l.checkDirs()
	l.checkTimes()
	l.checkClientDoor()
	l.checkStorage()
	l.checkLimits()
	l.checkAuth()
	l.checkFamilies()
	l.checkHTTP()
	l.checkMetrics()
	l.checkEnsemble()
	l.checkTLS()
	l.checkDoors()
}

func (l *loader) checkDirs() {
	c := l.c
	switch {
	case c.DataDir == "" && l.given("dataDir"):
		l.problem(l.at("dataDir"), "dataDir is empty", "write for example dataDir=/var/lib/zookeeper")
	case c.DataDir == "" && c.File == "":
		c.DataDir = l.absolute("data")
		l.c.settings["dataDir"] = Setting{Value: c.DataDir}
	case c.DataDir == "":
		l.problems = append(l.problems, Problem{File: c.File, Key: "dataDir", Problem: "dataDir is required", Fix: "add for example dataDir=/var/lib/zookeeper"})
	default:
		c.DataDir = l.anchor("dataDir", c.DataDir)
	}
	if c.DataLogDir == "" {
		c.DataLogDir = c.DataDir
		l.derive("dataLogDir", c.DataDir, "= dataDir")
	} else {
		c.DataLogDir = l.anchor("dataLogDir", c.DataLogDir)
	}
}

// anchor makes a path absolute, and warns when that was not plainly meant.
func (l *loader) anchor(key, path string) string {
	abs := l.absolute(path)
	if abs != path && path != "." && !strings.HasPrefix(path, "./") && !strings.HasPrefix(path, "../") {
		l.warn(l.at(key), fmt.Sprintf("%s %s is relative and becomes %s", key, path, abs), "write the absolute path, or ./ in front if it is meant")
	}
	s := l.c.settings[key]
	s.Value = abs
	l.c.settings[key] = s
	return abs
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// longestSessionTimeout is what a ConnectResponse holds: its timeout is a signed 32-bit number of milliseconds.
const longestSessionTimeout = math.MaxInt32 * time.Millisecond

// followsTick is the session timeout that stands for a multiple of tickTime. As in ZooKeeper no other negative number does.
const followsTick = -time.Millisecond

func (l *loader) checkTimes() {
	c := l.c
	if c.TickTime <= 0 {
		if l.given("tickTime") && l.parsed("tickTime") {
			l.problem(l.at("tickTime"), "tickTime must be > 0", "use tickTime=2000")
		}
		return
	}
	if c.MinSessionTimeout == followsTick {
		c.MinSessionTimeout = 2 * c.TickTime
		l.derive("minSessionTimeout", millis(c.MinSessionTimeout), "2 × tickTime")
		if c.MinSessionTimeout > longestSessionTimeout {
			l.problem(l.at("tickTime"), fmt.Sprintf("minSessionTimeout would be %s ms (2 × tickTime), more than clients can be told (%s)",
				millis(c.MinSessionTimeout), millis(longestSessionTimeout)), "use tickTime=2000")
			return
		}
	}
	if c.MaxSessionTimeout == followsTick {
		c.MaxSessionTimeout = min(20*c.TickTime, longestSessionTimeout)
		l.derive("maxSessionTimeout", millis(c.MaxSessionTimeout), "20 × tickTime")
	}
	if c.MinSessionTimeout > c.MaxSessionTimeout {
		low, high := l.c.settings["minSessionTimeout"], l.c.settings["maxSessionTimeout"]
		at := l.at("minSessionTimeout")
		if !l.given("minSessionTimeout") {
			at = l.at("maxSessionTimeout")
		}
		l.problem(at, fmt.Sprintf("minSessionTimeout %s ms (%s) must not be larger than maxSessionTimeout %s ms (%s)",
			low.Value, low.Origin, high.Value, high.Origin), "change one of them")
	}
	if c.MaxSessionTimeout < 0 && l.parsed("minSessionTimeout") && l.parsed("maxSessionTimeout") {
		l.problem(l.at("maxSessionTimeout"), "every session would expire at once", "remove the line")
	} else if c.MinSessionTimeout < 0 {
		l.warn(l.at("minSessionTimeout"), fmt.Sprintf("minSessionTimeout %s is no lower bound at all, as in ZooKeeper", millis(c.MinSessionTimeout)), "remove the line for 2 × tickTime")
		c.MinSessionTimeout = 0
	}
}

// parsed reports whether a key's strongest entry could be read; when not, there already is a problem.
func (l *loader) parsed(name string) bool {
	for _, p := range l.problems {
		if p.Key == name {
			return false
		}
	}
	return true
}

var fourLetterWords = map[string]bool{"conf": true, "cons": true, "crst": true, "dirs": true, "dump": true, "envi": true,
	"gtmk": true, "hash": true, "isro": true, "mntr": true, "ruok": true, "srst": true, "srvr": true, "stat": true,
	"stmk": true, "wchc": true, "wchp": true, "wchs": true}

func (l *loader) checkClientDoor() {
	c := l.c
	if c.File == "" {
		if !l.given("clientPort") {
			c.Client.Port = 2181
			l.c.settings["clientPort"] = Setting{Value: "2181"}
		}
		if c.Client.Address == "" && c.Client.Port != 0 {
			c.Client.Address = "127.0.0.1"
			l.c.settings["clientPortAddress"] = Setting{Value: "127.0.0.1"}
			l.info(entry{}, "no configuration file: clients of this host only", "clientPortAddress=0.0.0.0 lets others in")
		}
	}
	if c.Client.Port == 0 && l.given("clientPortAddress") {
		l.problem(l.at("clientPortAddress"), "clientPortAddress is set but clientPort is not set", "add clientPort=2181")
	}
	if c.Client.Secure.Port == 0 && l.given("secureClientPortAddress") {
		l.problem(l.at("secureClientPortAddress"), "secureClientPortAddress is set but secureClientPort is not set", "add secureClientPort=2281, or remove the line")
	}
	words := []string{"srvr"} // ZooKeeper always enables it: its own scripts need it
	for _, w := range c.Client.FourLetterWords {
		switch {
		case w == "*":
			c.Client.AllFourLetterWords = true
		case slices.Contains(words, w):
		case fourLetterWords[w]:
			words = append(words, w)
		default:
			l.warn(l.at("4lw.commands.whitelist"), fmt.Sprintf("%q is not a four-letter word", w), "remove it")
		}
	}
	if c.Sessions.ReadOnlyMode {
		if !slices.Contains(words, "isro") {
			words = append(words, "isro")
		}
		if !c.Sessions.Local {
			l.warn(l.at("readonlymode.enabled"), "read-only mode works best with local sessions", "add localSessionsEnabled=true")
		}
	}
	c.Client.FourLetterWords = words
	l.atLeast("maxClientCnxns", &c.Client.MaxPerAddress, 0, "")
	l.atLeast("maxCnxns", &c.Client.MaxTotal, 0, "")
	l.atLeast("httpMaxClientCnxns", &c.HTTP.MaxPerAddress, 0, "")
	l.atLeast("httpMaxCnxns", &c.HTTP.MaxTotal, 0, "")
	if c.Client.FrameBytesMax <= 0 {
		l.problem(l.at("jute.maxbuffer"), fmt.Sprintf("jute.maxbuffer %d leaves no room for any request", c.Client.FrameBytesMax), "use 1048575")
	}
	if !l.given("jute.maxbuffer.extrasize") {
		c.Client.TxnExtraBytes = max(1024, c.Client.FrameBytesMax)
		l.derive("jute.maxbuffer.extrasize", strconv.Itoa(c.Client.TxnExtraBytes), "= jute.maxbuffer, at least 1024")
	}
	l.atLeast("jute.maxbuffer.extrasize", &c.Client.TxnExtraBytes, 1024, "is raised to 1024, as in ZooKeeper")
}

// atLeast raises a number to its floor, with a warning when there is a text for it.
func (l *loader) atLeast(name string, field *int, floor int, text string) {
	if *field >= floor {
		return
	}
	if text != "" {
		l.warn(l.at(name), fmt.Sprintf("%s %d %s", name, *field, text), "")
	}
	*field = floor
	s := l.c.settings[name]
	s.Value = strconv.Itoa(floor)
	l.c.settings[name] = s
}

func (l *loader) checkStorage() {
	c := l.c
	l.atLeast("snapCount", &c.Log.SnapCount, 2, "is raised to 2, as in ZooKeeper")
	if l.given("snapCount") && !l.given("snapLogPercent") {
		c.Log.SnapLogPercent = 0
		l.derive("snapLogPercent", "0", "snapCount is set")
	}
	if l.given("snapCount") && !l.given("snapLogBytes") {
		c.Log.SnapLogBytes = 0
		l.derive("snapLogBytes", "0", "snapCount is set")
	}
	l.atLeast("snapLogPercent", &c.Log.SnapLogPercent, 0, "is taken as 0")
	l.atLeast("autopurge.snapRetainCount", &c.Purge.RetainCount, 3, "is raised to 3, as in ZooKeeper")
	c.Log.SnapLogBytes = max(0, c.Log.SnapLogBytes)
	c.Log.SnapSizeBytes = max(0, c.Log.SnapSizeBytes)
	c.Log.FileSizeBytes = max(0, c.Log.FileSizeBytes)
	c.Log.PreallocBytes = max(0, c.Log.PreallocBytes)
	if l.given("autopurge.purgeInterval") && !l.given("purgeEachSnapshot") {
		c.Purge.EachSnapshot = false
		l.derive("purgeEachSnapshot", "false", "autopurge.purgeInterval is set")
	}
	if c.Purge.Interval = max(0, c.Purge.Interval); !c.Purge.On() {
		l.warn(l.at("autopurge.purgeInterval"), "purging is off: snapshots and logs grow until the disk is full", "remove the line to purge after each snapshot")
	}
	if !c.Log.ForceSync {
		l.warn(l.at("forceSync"), "forceSync=no: acknowledged writes are lost when the power fails", "remove the line")
	}
	switch c.Snapshot.Compression {
	case "", "gz", "snappy":
	default:
		l.warn(l.at("snapshot.compression.method"), fmt.Sprintf("%q is no compression method, so snapshots are plain, as in ZooKeeper", c.Snapshot.Compression), "write gz or snappy")
		c.Snapshot.Compression = ""
		l.c.settings["snapshot.compression.method"] = Setting{Origin: l.at("snapshot.compression.method").origin}
	}
}

func (l *loader) checkLimits() {
	for _, name := range []string{"connection_throttle_drop_increase", "connection_throttle_drop_decrease", "connection_throttle_decrease_ratio"} {
		if v, err := strconv.ParseFloat(l.c.settings[name].Value, 64); err == nil && (v < 0 || v > 1) {
			l.problem(l.at(name), fmt.Sprintf("%v is not between 0 and 1", v), "write a share such as 0.02")
		}
	}
	if c := &l.c.Connect; c.Tokens > 0 && (c.FillTime <= 0 || c.FillCount <= 0) {
		l.problem(l.at("connection_throttle_tokens"), "connection_throttle_tokens without refills lets no session in once they are used up",
			"give connection_throttle_fill_time and connection_throttle_fill_count values above 0")
	}
	for _, name := range []string{"znode.container.checkIntervalMs", "znode.container.maxPerMinute"} {
		if v, err := strconv.ParseInt(l.c.settings[name].Value, 10, 64); err == nil && v <= 0 {
			l.problem(l.at(name), name+" must be > 0", "remove the line")
		}
	}
}
