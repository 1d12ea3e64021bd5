package auth_test

import (
	"slices"
	"testing"

	"paddock/internal/zk"
	"paddock/server/auth"
)

func authority(t testing.TB, cfg auth.Config) *auth.Authority {
	t.Helper()
	a, err := auth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDigestIDs(t *testing.T) {
	for _, c := range []struct{ name, alg, credential, want string }{
		{"the hash covers user and password", "", "super:test", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="},
		{"another user", "SHA1", "user1:12345", "user1:+owfoSBn/am19roBPzR1/MfCblE="},
		{"the password may be empty", "", "bob:", "bob:tK1fpNO1hB0F++FhHpSq0Fa4tv0="},
		{"only the first colon ends the user", "", "a:b:c", "a:cLzgnoJ6mP5qz3w+mwvPE2vDgu0="},
		{"SHA1", "SHA1", "bob:secret", "bob:fyVmFCwVbTJYrznoSu1koqYEYF0="},
		{"SHA-256", "SHA-256", "bob:secret", "bob:huAluaVu3uER4LIpielGv9Qqk5x3YVDr6I2R/mXf2wE="},
		{"SHA-512 in lower case", "sha-512", "bob:secret",
			"bob:MON49O1q1UU4gzHRH8XFfdstQyTRtQRoDT+8dvk+qrZdXJegJxeoYDJfch4LeWUjXjSWIiqnKXpFYZi7tC1AZw=="},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := authority(t, auth.Config{DigestAlg: c.alg}).DigestID([]byte(c.credential)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestACredentialThatIsNotUTF8CountsAsJavaReadsIt(t *testing.T) {
	a := authority(t, auth.Config{})
	for _, c := range []struct{ name, credential, read string }{
		{"an 8-bit letter", "\xe4:p\xe4ss", "\ufffd:p\ufffdss"},
		{"a character cut short is one mark", "a:\xe2\x82", "a:\ufffd"},
		{"a long character cut short is one mark", "a:\xf0\x9f\x98z", "a:\ufffdz"},
		{"an encoded surrogate is one mark", "a:\xed\xa0\x80z", "a:\ufffdz"},
		{"an overlong form is a mark for each byte", "a:\xe0\x80\x80", "a:\ufffd\ufffd\ufffd"},
		{"a code point beyond the last is a mark for each byte", "a:\xf4\x90\x80\x80", "a:\ufffd\ufffd\ufffd\ufffd"},
		{"half a surrogate is one mark", "a:\xed\xa0", "a:\ufffd"},
		{"a lead followed by letters is one mark", "a:\xe2zz", "a:\ufffdzz"},
		{"bytes that begin nothing are a mark each", "a:\x80\xff\xc0", "a:\ufffd\ufffd\ufffd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, want := a.DigestID([]byte(c.credential)), a.DigestID([]byte(c.read)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestAnUnknownDigestAlgorithmIsAnError(t *testing.T) {
	if _, err := auth.New(auth.Config{DigestAlg: "ROT13"}); err == nil {
		t.Error("ROT13 was accepted")
	}
}

func TestAuthenticate(t *testing.T) {
	const bob, super = "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="
	for _, c := range []struct {
		name       string
		cfg        auth.Config
		scheme     string
		credential []byte
		want       []zk.ID
		ok         bool
	}{
		{"digest gives the digest id", auth.Config{}, "digest", []byte("bob:secret"), []zk.ID{{Scheme: "digest", ID: bob}}, true},
		{"the super digest gives super as well", auth.Config{SuperDigest: super}, "digest", []byte("super:test"),
			[]zk.ID{{Scheme: "digest", ID: super}, {Scheme: "super"}}, true},
		{"a null digest is refused", auth.Config{}, "digest", nil, nil, false},
		{"digest may be off", auth.Config{NoDigest: true}, "digest", []byte("bob:secret"), nil, false},
		{"ip gives the address", auth.Config{}, "ip", []byte("10.0.0.1"), []zk.ID{{Scheme: "ip", ID: "192.0.2.7"}}, true},
		{"world is no credential", auth.Config{}, "world", []byte("anyone"), nil, false},
		{"auth is no credential", auth.Config{}, "auth", nil, nil, false},
		{"super is no credential", auth.Config{SuperDigest: super}, "super", []byte("super:test"), nil, false},
		{"sasl is not proved this way", auth.Config{}, "sasl", []byte("bob"), nil, false},
		{"ensemble is unknown unless configured", auth.Config{}, "ensemble", nil, nil, false},
		{"ensemble gives no identity", auth.Config{Ensemble: true}, "ensemble", []byte("any"), nil, true},
		{"schemes are told apart by case", auth.Config{}, "Digest", []byte("bob:secret"), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := authority(t, c.cfg).Authenticate(c.scheme, c.credential, "192.0.2.7")
			if ok != c.ok || !slices.Equal(got, c.want) {
				t.Errorf("got %v %v, want %v %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestAddKeepsIdentitiesOnce(t *testing.T) {
	ip, bob := zk.ID{Scheme: "ip", ID: "::1"}, zk.ID{Scheme: "digest", ID: "bob:x"}
	if got := auth.Add([]zk.ID{ip}, ip, bob, bob); len(got) != 2 || !slices.Contains(got, ip) || !slices.Contains(got, bob) {
		t.Errorf("got %v", got)
	}
}

// The order was seen at a ZooKeeper 3.8.0, by zkCli's whoami.
func TestIdentitiesComeInZooKeepersOrder(t *testing.T) {
	ip, ann := zk.ID{Scheme: "ip", ID: "127.0.0.1"}, zk.ID{Scheme: "digest", ID: "ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM="}
	have := []zk.ID{ip}
	if got := auth.Add(have, ann); !slices.Equal(got, []zk.ID{ann, ip}) {
		t.Errorf("got %v", got)
	}
	if have[0] != ip {
		t.Error("the identities of before were changed")
	}
}

func TestUserNames(t *testing.T) {
	for id, want := range map[zk.ID]string{
		{Scheme: "digest", ID: "bob:hash:x"}: "bob",
		{Scheme: "ip", ID: "::1"}:            "::1",
		{Scheme: "super", ID: "CN=root"}:     "",
		{Scheme: "x509", ID: "CN=bob"}:       "CN=bob",
	} {
		if got := auth.UserName(id); got != want {
			t.Errorf("%v: %q, want %q", id, got, want)
		}
	}
}
