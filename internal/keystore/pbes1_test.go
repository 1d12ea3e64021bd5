package keystore

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// parameters are those of a scheme.
type parameters struct {
	Salt   []byte
	Rounds int
}

// der is the encrypted key in a file of testdata.
func der(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(in(name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	return block.Bytes
}

// Some of the wrong passwords leave what looks like padding.
func TestNoWrongPasswordOpensAKeyOfPBES1(t *testing.T) {
	for _, name := range []string{"server-MD5-DES.pem", "server-SHA1-DES.pem", "server-SHA1-3DES.pem"} {
		data := der(t, name)
		for i := range 600 {
			if _, err := openPBES1(data, fmt.Sprint("guess", i)); !errors.Is(err, errLocked) {
				t.Fatalf("%s, guess %d: %v", name, i, err)
			}
		}
		if _, err := openPBES1(data, password); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADamagedKeyOfPBES1IsToldFromAWrongPassword(t *testing.T) {
	made := func(p any, data []byte) []byte {
		params, err := asn1.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		out, err := asn1.Marshal(struct {
			A pkix.AlgorithmIdentifier
			D []byte
		}{pkix.AlgorithmIdentifier{Algorithm: schemes[2].id, Parameters: asn1.RawValue{FullBytes: params}}, data})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	whole := make([]byte, 64)
	for name, c := range map[string]struct {
		der  []byte
		says string
	}{
		"no DER at all":                        {[]byte("key"), "asn1"},
		"parameters that are something else":   {made("salt", whole), "asn1"},
		"a password that is not hashed at all": {made(parameters{whole, 0}, whole), "hashed 0 times"},
		"a password that is hashed for ever":   {made(parameters{whole, 1 << 40}, whole), "hashed 1099511627776 times"},
		"no encrypted bytes":                   {made(parameters{whole, 1}, nil), "no whole blocks"},
		"half a block":                         {made(parameters{whole, 1}, whole[:60]), "no whole blocks"},
		"zeros, with no salt":                  {made(parameters{nil, 1}, whole), errLocked.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := openPBES1(c.der, password); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %s", err, c.says)
			}
		})
	}
}

// FuzzPBES1: no bytes make decrypting panic, and a key comes out or an error.
func FuzzPBES1(f *testing.F) {
	for _, name := range []string{"server-MD5-DES.pem", "server-SHA1-DES.pem", "server-long-password.pem"} {
		data, err := os.ReadFile(in(name))
		if err != nil {
			f.Fatal(err)
		}
		block, _ := pem.Decode(data)
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var info struct {
			A pkix.AlgorithmIdentifier
			D []byte
		}
		var p parameters
		if _, err := asn1.Unmarshal(data, &info); err == nil {
			if _, err = asn1.Unmarshal(info.A.Parameters.FullBytes, &p); err == nil && p.Rounds > 4096 {
				t.Skip("it takes long, and that is all")
			}
		}
		if key, err := openPBES1(data, password); (key == nil) != (err != nil) {
			t.Fatalf("%v and %v", key, err)
		}
	})
}
