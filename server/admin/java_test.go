package admin

import (
	"math"
	"testing"
	"time"
)

// What Java 17 prints for a double, and for new BigDecimal(it).setScale(4, HALF_UP).doubleValue().
func TestDoublesArePrintedAsByJava(t *testing.T) {
	for _, tc := range []struct {
		f            float64
		double, mean string
	}{
		{0, "0.0", "0.0"}, {1, "1.0", "1.0"}, {0.5, "0.5", "0.5"}, {0.03125, "0.03125", "0.0313"}, {0.09375, "0.09375", "0.0938"},
		{0.001, "0.001", "0.001"}, {0.0009, "9.0E-4", "9.0E-4"}, {12345678.9, "1.23456789E7", "1.23456789E7"},
		{9999999, "9999999.0", "9999999.0"}, {1e7, "1.0E7", "1.0E7"}, {1e22, "1.0E22", "1.0E22"}, {2.5e-5, "2.5E-5", "0.0"},
		{1.0 / 3, "0.3333333333333333", "0.3333"}, {100, "100.0", "100.0"}, {0.00005, "5.0E-5", "1.0E-4"},
		{0.00015, "1.5E-4", "1.0E-4"}, {1.00005, "1.00005", "1.0001"}, {-1, "-1.0", "-1.0"},
		{math.NaN(), "NaN", "NaN"}, {math.Inf(1), "Infinity", "Infinity"}, {math.Inf(-1), "-Infinity", "-Infinity"},
	} {
		if got := string(appendDouble(nil, tc.f)); got != tc.double {
			t.Errorf("%v is printed as %s, want %s", tc.f, got, tc.double)
		}
		if got := string(appendMean(nil, tc.f)); got != tc.mean {
			t.Errorf("the mean %v is printed as %s, want %s", tc.f, got, tc.mean)
		}
	}
}

func TestAddressesArePrintedAsByJava(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:80":        "/127.0.0.1:80",
		"[::1]:80":            "/[0:0:0:0:0:0:0:1]:80",
		"[fe80::1:a%1]:80":    "/[fe80:0:0:0:0:0:1:a%1]:80",
		"[::ffff:1.2.3.4]:80": "/1.2.3.4:80",
		"pipe":                "/pipe",
	} {
		if got := string(appendAddr(nil, in)); got != want {
			t.Errorf("%s is printed as %s, want %s", in, got, want)
		}
	}
}

func TestDatesArePrintedAsByJava(t *testing.T) {
	for want, in := range map[string]time.Time{
		"Sat Nov 21 06:27:13 UTC 2026": time.Date(2026, 11, 21, 6, 27, 13, 999, time.UTC),
		"Thu Jan 01 00:00:00 CET 1970": time.Date(1970, 1, 1, 0, 0, 0, 0, time.FixedZone("CET", 3600)),
	} {
		if got := string(appendDate(nil, in)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestVersionsHaveTheFormThatToolsRead(t *testing.T) {
	for _, tc := range []struct {
		v    Version
		want string
	}{
		{debian, "3.8.0-${mvngit.commit.id}, built on 2024-12-29 17:54 UTC"},
		{Version{ZooKeeper: "3.8.0", Revision: "paddock", Built: time.Date(2026, 1, 2, 1, 30, 0, 0, time.FixedZone("CET", 3600))},
			"3.8.0-paddock, built on 2026-01-02 00:30 UTC"},
		{Version{ZooKeeper: "3.8.0", Revision: "dev"}, "3.8.0-dev, built on 1970-01-01 00:00 UTC"},
	} {
		if got := tc.v.String(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
