package config

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestJavaDecode(t *testing.T) {
	for _, tc := range []struct {
		in   string
		bits int
		want int64
		ok   bool
	}{
		{"10", 32, 10, true}, {"-10", 32, -10, true}, {"+10", 32, 10, true}, {"0x10", 32, 16, true}, {"0X1f", 32, 31, true},
		{"#ff", 32, 255, true}, {"010", 32, 8, true}, {"-0x10", 32, -16, true}, {"0", 32, 0, true}, {"-0", 32, 0, true},
		{"08", 32, 0, false}, {"", 32, 0, false}, {"-", 32, 0, false}, {"0x", 32, 0, false}, {"100k", 32, 0, false}, {"1_000", 32, 0, false},
		{"--1", 32, 0, false}, {"0x-1", 32, 0, false}, {" 1", 32, 0, false}, {"2147483648", 32, 0, false}, {"-2147483648", 32, math.MinInt32, true},
		{"2147483648", 64, 1 << 31, true}, {"9223372036854775808", 64, 0, false},
	} {
		if got, ok := javaDecode(tc.in, tc.bits); got != tc.want || ok != tc.ok {
			t.Errorf("%q, %d bits: got %d, %v", tc.in, tc.bits, got, ok)
		}
	}
}

// load runs Load over one file's text, with /data/myid when id is not "".
func load(t *testing.T, text, id string, change ...func(*Source)) (*Config, []Notice, Problems) {
	t.Helper()
	s := Source{File: "zoo.cfg", ReadFile: files(map[string]string{"zoo.cfg": text})}
	if id != "" {
		s.ReadFile = files(map[string]string{"zoo.cfg": text, "/data/myid": id})
	}
	for _, f := range change {
		f(&s)
	}
	c, notices, err := Load(s)
	if err == nil {
		return c, notices, nil
	}
	return c, notices, err.(Problems)
}

func TestUnitsAndKinds(t *testing.T) {
	c, _, problems := load(t, `dataDir=/data
clientPort=2181
clientPortAddress=[::1]
tickTime=2000
preAllocSize=16
snapSizeLimitInKb=9223372036854775807
txnLogSizeLimitInKb=1024
fsync.warningthresholdms=250
flushDelay=30
autopurge.purgeInterval=90m
connection_throttle_drop_increase=0.5
DigestAuthenticationProvider.digestAlg=sha-256
4lw.commands.whitelist=*
snapshotSizeFactor=-1
`, "")
	if problems != nil {
		t.Fatal(problems)
	}
	for _, tc := range []struct {
		name      string
		got, want any
	}{
		{"brackets of an IPv6 address are dropped", c.Client.Address, "::1"},
		{"milliseconds become a duration", c.TickTime, 2 * time.Second},
		{"session timeouts follow the tick", c.MinSessionTimeout, 4 * time.Second},
		{"and so does the upper one", c.MaxSessionTimeout, 40 * time.Second},
		{"KiB become bytes", c.Log.PreallocBytes, int64(16384)},
		{"a size beyond all bounds saturates", c.Log.SnapSizeBytes, int64(math.MaxInt64)},
		{"the log roll size is in KiB too", c.Log.FileSizeBytes, int64(1 << 20)},
		{"a long is read as such", c.Log.FsyncWarning, 250 * time.Millisecond},
		{"the purge interval may have a unit", c.Purge.Interval, 90 * time.Minute},
		{"a ratio is a float", c.Connect.DropIncrease, 0.5},
		{"hash names are normalised", c.Auth.DigestAlg, "SHA-256"},
		{"a star enables all four-letter words", c.Client.AllFourLetterWords, true},
		{"a negative ratio is kept", c.Log.SnapshotSizeFactor, -1.0},
		{"the data directory holds the log unless told otherwise", c.DataLogDir, "/data"},
		{"purging is on by default", c.Purge.RetainCount, 3},
		{"an interval says when to purge", c.Purge.EachSnapshot, false},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, tc.got, tc.want)
		}
	}
}

func TestFourLetterWordsAlwaysHaveSrvr(t *testing.T) {
	for _, tc := range []struct{ name, line, want string }{
		{"none given", "", "[srvr]"},
		{"others given", "4lw.commands.whitelist=ruok, mntr", "[srvr ruok mntr]"},
		{"given twice", "4lw.commands.whitelist=srvr,srvr,ruok", "[srvr ruok]"},
		{"an empty list", "4lw.commands.whitelist=", "[srvr]"},
		{"read-only mode adds isro", "readonlymode.enabled=true\n4lw.commands.whitelist=stat", "[srvr stat isro]"},
	} {
		c, _, problems := load(t, "dataDir=/data\nclientPort=1\n"+tc.line, "")
		if got := fmt.Sprint(c.Client.FourLetterWords); got != tc.want || problems != nil {
			t.Errorf("%s: got %s, %v", tc.name, got, problems)
		}
	}
}

func TestEveryDefaultIsReadable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Keys() {
		for _, name := range append([]string{k.Name}, k.Aliases...) {
			if seen[name] {
				t.Errorf("%s has two rows", name)
			}
			seen[name] = true
		}
		if k.Effect == "" {
			t.Errorf("%s: no effect", k.Name)
		}
		if (k.Status == Ignored || k.Status == Later) && k.Reason == "" {
			t.Errorf("%s: no reason", k.Name)
		}
		if k.Status == Honoured && k.bind == nil && k.Name != "myid" && k.Name != "admin.serverPort" && k.Name != "admin.serverAddress" {
			t.Errorf("%s is honoured, but bound to nothing", k.Name)
		}
		if k.Default == "" || k.Prefix {
			continue
		}
		var into any
		if k.bind != nil {
			into = k.bind(&Config{})
		}
		if out := k.parse(k.Default, into); out.bad != "" || out.warn != "" {
			t.Errorf("%s: default %q: %s%s", k.Name, k.Default, out.bad, out.warn)
		}
	}
}

// TestEveryFieldHasItsType: a kind that a field cannot take would silently leave it empty.
func TestEveryFieldHasItsType(t *testing.T) {
	sample := map[Kind]string{KindString: "x", KindPath: "x", KindHost: "h", KindPort: "7", KindInt: "7", KindTicks: "7", KindMillis: "7",
		KindHours: "7", KindSeconds: "7", KindBytes: "7", KindKiB: "7", KindFloat: "7.5", KindBool: "true", KindOnlyYes: "yes", KindUnlessNo: "yes", KindList: "x"}
	for _, k := range Keys() {
		if k.bind == nil {
			continue
		}
		into := k.bind(&Config{})
		k.parse(sample[k.Kind], into)
		var zero bool
		switch p := into.(type) {
		case *int:
			zero = *p == 0
		case *int64:
			zero = *p == 0
		case *bool:
			zero = !*p
		case *string:
			zero = *p == ""
		case *float64:
			zero = *p == 0
		case *time.Duration:
			zero = *p == 0
		case *[]string:
			zero = len(*p) == 0
		default:
			t.Errorf("%s: field of type %T", k.Name, into)
		}
		if zero {
			t.Errorf("%s: a %s does not reach its %T", k.Name, k.Kind, into)
		}
	}
}

func TestTheUpperSessionTimeoutFitsIntoWhatClientsAreTold(t *testing.T) {
	c, _, problems := load(t, "dataDir=/data\nclientPort=2181\ntickTime=200000000\n", "")
	if len(problems) != 0 || c.MaxSessionTimeout != math.MaxInt32*time.Millisecond {
		t.Errorf("%v, %v", c.MaxSessionTimeout, problems)
	}
}
