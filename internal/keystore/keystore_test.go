package keystore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The stores in testdata are made by openssl and keytool (testdata/make.sh).
const password = "old-secret"

var longPassword = "pässword-" + strings.Repeat("0", 79) + "1"

func in(name string) string { return filepath.Join("testdata", name) }

func TestEveryKindOfKeyStoreIsRead(t *testing.T) {
	for _, row := range []struct {
		name  string
		store Store
		owner string
		chain int
	}{
		{"PEM with key, certificate and authority", Store{Path: in("server.pem")}, "server", 2},
		{"PEM that begins with the authority", Store{Path: in("server-backwards.pem")}, "server", 2},
		{"PEM with a key of PKCS#1", Store{Path: in("server-pkcs1.pem")}, "server", 1},
		{"PEM with an elliptic key", Store{Path: in("curve.pem")}, "curve", 2},
		{"PEM with an elliptic key of SEC 1", Store{Path: in("curve-sec1.pem")}, "curve", 1},
		{"PEM with an encrypted key", Store{Path: in("server-encrypted.pem"), Password: password}, "server", 2},
		{"PEM with a key encrypted as by Java's pbeWithMD5AndDES-CBC", Store{Path: in("server-MD5-DES.pem"), Password: password}, "server", 1},
		{"PEM with a key encrypted by pbeWithSHA1AndDES-CBC", Store{Path: in("server-SHA1-DES.pem"), Password: password}, "server", 1},
		{"PEM with a key encrypted by pbeWithSHA1And3-KeyTripleDES-CBC", Store{Path: in("server-SHA1-3DES.pem"), Password: password}, "server", 1},
		{"PEM with a key encrypted with a password of several blocks", Store{Path: in("server-long-password.pem"), Password: longPassword}, "server", 1},
		{"PEM by its type, whatever its name", Store{Path: in("server.pem"), Type: "pem"}, "server", 2},
		{"PKCS12 of openssl", Store{Path: in("server.p12"), Password: password}, "server", 2},
		{"PKCS12 of keytool", Store{Path: in("server-keytool.p12"), Password: password}, "server", 2},
		{"JKS", Store{Path: in("server.jks"), Password: password}, "server", 2},
		{"PKCS12 in a file that is named as JKS", Store{Path: in("server-pkcs12.jks"), Password: password}, "server", 2},
		{"JKS that is said to be PKCS12", Store{Path: in("server.jks"), Type: "PKCS12", Password: password}, "server", 2},
		{"the password of a file, which wins", Store{Path: in("server.jks"), Password: "wrong", PasswordPath: in("password.txt")}, "server", 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.store.Name = "ssl.keyStore"
			keys, err := row.store.Keys(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if len(keys) != 1 || keys[0].Leaf.Subject.CommonName != row.owner || len(keys[0].Certificate) != row.chain {
				t.Fatalf("%d keys, the first of %s with %d certificates; want one of %s with %d",
					len(keys), keys[0].Leaf.Subject, len(keys[0].Certificate), row.owner, row.chain)
			}
		})
	}
}

func TestEveryKindOfTrustStoreIsRead(t *testing.T) {
	for _, row := range []struct {
		name  string
		store Store
		owner string
	}{
		{"PEM", Store{Path: in("ca.pem")}, "authority"},
		{"PKCS12 of keytool", Store{Path: in("trust.p12"), Password: password}, "authority"},
		{"JKS", Store{Path: in("trust.jks"), Password: password}, "authority"},
		{"a key store, whose own certificate is trusted", Store{Path: in("client.jks"), Password: password}, "client"},
		{"a key store of PKCS12, whose own certificate is trusted", Store{Path: in("client.p12"), Password: password}, "client"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.store.Name = "ssl.trustStore"
			list, err := row.store.Trusted()
			if err != nil {
				t.Fatal(err)
			}
			if len(list) != 1 || list[0].Subject.CommonName != row.owner {
				t.Fatalf("%d certificates, the first of %s; want one of %s", len(list), list[0].Subject, row.owner)
			}
		})
	}
}

func TestWhatIsWrongNamesSettingFileAndRemedy(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name          string
		store         Store
		setting, says string
	}{
		{"a file that is not there", Store{Path: "nowhere.pem"}, "location", "cannot be read: no such file"},
		{"a directory", Store{Path: "testdata", Type: PEM}, "location", "cannot be read: is a directory"},
		{"a file of nothing", Store{Path: empty}, "location", "is no key store"},
		{"a name that tells no type", Store{Path: in("password.txt")}, "type", "does not tell its type"},
		{"a type that there is not", Store{Path: in("server.pem"), Type: "DER"}, "type", `"DER" is no type`},
		{"a type that cannot be read", Store{Path: "server.bcfks"}, "type", "BCFKS"},
		{"JCEKS", Store{Path: in("secret-jceks.jks"), Password: password}, "location", "JCEKS"},
		{"PEM that is said to be PKCS12", Store{Path: in("server.pem"), Type: PKCS12}, "type", "is taken for PKCS12, but is PEM"},
		{"JKS that is said to be PEM", Store{Path: in("server.jks"), Type: PEM}, "type", "is taken for PEM, but is JKS"},
		{"a wrong password of PKCS12", Store{Path: in("server.p12"), Password: "guess"}, "password", "does not open with this password"},
		{"a wrong password of keytool's PKCS12", Store{Path: in("server-keytool.p12"), Password: "guess"}, "password", "does not open"},
		{"a wrong password of JKS", Store{Path: in("server.jks"), Password: "guess"}, "password", "does not open with this password"},
		{"a wrong password of PEM", Store{Path: in("server-encrypted.pem"), Password: "guess"}, "password", "does not open with this password"},
		{"no password", Store{Path: in("server-encrypted.pem")}, "password", "needs a password"},
		{"no password for JKS", Store{Path: in("server.jks")}, "password", "needs a password"},
		{"a file with a wrong password", Store{Path: in("server.jks"), PasswordPath: in("make.sh")}, "passwordPath", "does not open"},
		{"a password file that is not there", Store{Path: in("server.jks"), PasswordPath: "nowhere.txt"}, "passwordPath", "nowhere.txt cannot be read"},
		{"a key with a password of its own", Store{Path: in("server-keypass.jks"), Password: password}, "password", "another password than the store"},
		{"a key encrypted as before PKCS#8", Store{Path: in("server-dek.pem"), Password: password}, "location", "older than PKCS#8"},
		{"a key encrypted with RC2", Store{Path: in("server-SHA1-RC2-40.pem"), Password: password}, "location", "by a scheme that cannot be read"},
		{"a wrong password of a key of PBES1", Store{Path: in("server-MD5-DES.pem"), Password: "guess"}, "password", "does not open with this password"},
		{"no password for a key of PBES1", Store{Path: in("server-SHA1-3DES.pem")}, "password", "needs a password"},
		{"a certificate that has expired", Store{Path: in("expired.pem")}, "location", "expired at 2020-01-0"},
		{"a certificate of PKCS12 that has expired", Store{Path: in("expired.p12"), Password: password}, "location", "expired at 2020-01-0"},
		{"a key of another certificate", Store{Path: in("mismatched.pem")}, "location", "does not belong to its certificate"},
		{"a key without a certificate", Store{Path: in("keyonly.pem")}, "location", "without a certificate"},
		{"certificates alone", Store{Path: in("ca.pem")}, "location", "holds no private key"},
		{"trusted certificates of PKCS12 alone", Store{Path: in("trust.p12"), Password: password}, "location", "holds no private key"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.store.Name = "ssl.keyStore"
			_, err := row.store.Keys(time.Now())
			expectFault(t, err, "ssl.keyStore."+row.setting, row.says)
		})
	}
	t.Run("certificates that Java would not trust", func(t *testing.T) {
		_, err := Store{Name: "ssl.trustStore", Path: in("untrusted.p12"), Password: password}.Trusted()
		expectFault(t, err, "ssl.trustStore.location", "holds no trusted certificate")
	})
	t.Run("a certificate that is not valid yet", func(t *testing.T) {
		_, err := Store{Name: "ssl.keyStore", Path: in("server.pem")}.Keys(time.Unix(0, 0))
		expectFault(t, err, "ssl.keyStore.location", "is not valid before")
	})
}

func expectFault(t *testing.T, err error, setting, says string) {
	t.Helper()
	var fault *Error
	if !errors.As(err, &fault) {
		t.Fatalf("%v is no *Error", err)
	}
	if fault.Setting != setting || !strings.Contains(fault.Problem, says) || fault.Fix == "" {
		t.Errorf("%v; want %s: …%s…; and a remedy", fault, setting, says)
	}
}

func TestSumChangesWithFileAndPassword(t *testing.T) {
	dir := t.TempDir()
	s := Store{Path: filepath.Join(dir, "store"), PasswordPath: filepath.Join(dir, "password")}
	seen := map[[32]byte]string{s.Sum(): "nothing there"}
	for _, step := range []struct{ file, content string }{{s.Path, "one"}, {s.PasswordPath, "one"}, {s.Path, "two"}, {s.PasswordPath, "two"}} {
		if err := os.WriteFile(step.file, []byte(step.content), 0o600); err != nil {
			t.Fatal(err)
		}
		sum := s.Sum()
		if before, ok := seen[sum]; ok {
			t.Errorf("%s with %q has the sum of %s", step.file, step.content, before)
		}
		seen[sum] = step.file + " with " + step.content
		if s.Sum() != sum {
			t.Error("the sum of the same files is another")
		}
	}
}

// FuzzStore: no file, whatever it is said to be, makes reading panic, and what is read can be used.
func FuzzStore(f *testing.F) {
	names, err := filepath.Glob("testdata/*.[pj]*")
	if err != nil || len(names) == 0 {
		f.Fatal("no stores in testdata")
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		kind := sniff(data)
		if kind == "" || kind == jceks {
			return
		}
		s := Store{Name: "ssl.keyStore", Path: filepath.Join(t.TempDir(), "store"), Type: kind, Password: password}
		if err := os.WriteFile(s.Path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		keys, err := s.Keys(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
		for _, k := range keys {
			if k.Leaf == nil || len(k.Certificate) == 0 || k.PrivateKey == nil {
				t.Fatalf("an incomplete key: %+v", k)
			}
		}
		if (len(keys) == 0) != (err != nil) {
			t.Fatalf("%d keys and %v", len(keys), err)
		}
	})
}
