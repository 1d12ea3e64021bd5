package config

import (
	"crypto/tls"
	"slices"
	"testing"
)

func TestTLSSettingsFromFileAndFlags(t *testing.T) {
	c, _, problems := load(t, alone+"secureClientPort=2281\nsecureClientPortAddress=127.0.0.1\nssl.keyStore.location=keys/own.p12\nssl.keyStore.type=PKCS12\n", "", func(s *Source) {
		s.Dir = "/conf"
		s.JVMFlags = "-Dzookeeper.ssl.keyStore.password=one -Dzookeeper.ssl.trustStore.location=/t.jks -Dzookeeper.ssl.trustStore.passwordPath=/pw" +
			" -Dzookeeper.ssl.clientAuth=WANT -Dzookeeper.ssl.clientHostnameVerification=true -Dzookeeper.client.certReload=false"
	})
	if problems != nil {
		t.Fatal(problems)
	}
	if !c.TLSWanted() || c.Client.Secure != (Door{Port: 2281, Address: "127.0.0.1"}) {
		t.Errorf("%v %+v", c.TLSWanted(), c.Client.Secure)
	}
	if want := (Store{Path: "/conf/keys/own.p12", Type: "PKCS12", Password: "one"}); c.TLS.KeyStore != want {
		t.Errorf("%+v, want %+v", c.TLS.KeyStore, want)
	}
	if want := (Store{Path: "/t.jks", PasswordPath: "/pw"}); c.TLS.TrustStore != want {
		t.Errorf("%+v, want %+v", c.TLS.TrustStore, want)
	}
	if c.TLS.ClientAuth != ClientAuthWant || !c.TLS.ClientNames || c.TLS.Reload {
		t.Errorf("%+v", c.TLS)
	}
}

func TestSecurePortOfTheServerLine(t *testing.T) {
	c, _, problems := load(t, three+"server.4=d:1:2;2181;127.0.0.1:2281\nserver.5=e:1:2\nssl.keyStore.location=/k.pem\n", "4")
	if problems != nil {
		t.Fatal(problems)
	}
	if c.Client.Secure != (Door{Port: 2281, Address: "127.0.0.1"}) || c.Client.Port != 2181 {
		t.Errorf("%+v", c.Client)
	}
}

func TestVersionsAndSuites(t *testing.T) {
	for _, row := range []struct {
		name, text  string
		least, most uint16
		suites      []uint16
	}{
		{"nothing said", "", tls.VersionTLS12, tls.VersionTLS13, nil},
		{"one version", "ssl.protocol=TLSv1.3", tls.VersionTLS13, tls.VersionTLS13, nil},
		{"any version", "ssl.protocol=TLS", tls.VersionTLS12, tls.VersionTLS13, nil},
		{"enabled versions beat the protocol", "ssl.protocol=TLSv1.3\nssl.enabledProtocols=TLSv1.2", tls.VersionTLS12, tls.VersionTLS12, nil},
		{"several versions in any order", "ssl.enabledProtocols=TLSv1.3,TLSv1.2,TLSv1.1", tls.VersionTLS11, tls.VersionTLS13, nil},
		{"suites of both versions", "ssl.ciphersuites=TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", tls.VersionTLS12, tls.VersionTLS13, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		{"suites of TLSv1.2 alone", "ssl.ciphersuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		{"suites of TLSv1.3 alone", "ssl.ciphersuites=TLS_AES_128_GCM_SHA256", tls.VersionTLS13, tls.VersionTLS13, nil},
		{"a suite by its old name", "ssl.ciphersuites=SSL_RSA_WITH_3DES_EDE_CBC_SHA", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, _, problems := load(t, alone+row.text+"\n", "")
			if problems != nil {
				t.Fatal(problems)
			}
			if c.TLS.MinVersion != row.least || c.TLS.MaxVersion != row.most || !slices.Equal(c.TLS.Suites, row.suites) {
				t.Errorf("%#x to %#x, %#x", c.TLS.MinVersion, c.TLS.MaxVersion, c.TLS.Suites)
			}
		})
	}
}
