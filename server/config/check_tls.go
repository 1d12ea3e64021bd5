package config

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// checkTLS judges what the doors over TLS are to do. The stores themselves are read by the server, when it starts.
func (l *loader) checkTLS() {
	t := &l.c.TLS
	for _, path := range []struct {
		key  string
		file *string
	}{
		{"ssl.keyStore.location", &t.KeyStore.Path}, {"ssl.keyStore.passwordPath", &t.KeyStore.PasswordPath},
		{"ssl.trustStore.location", &t.TrustStore.Path}, {"ssl.trustStore.passwordPath", &t.TrustStore.PasswordPath},
	} {
		if *path.file != "" {
			*path.file = l.anchor(path.key, *path.file)
		}
	}
	t.ClientAuth = strings.ToLower(t.ClientAuth)
	if !slices.Contains([]string{ClientAuthNeed, ClientAuthWant, ClientAuthNone}, t.ClientAuth) {
		l.problem(l.at("ssl.clientAuth"), fmt.Sprintf("%q is none of need, want and none", t.ClientAuth), "write one of them")
	}
	if t.ClientNames && !t.HostNames {
		l.warn(l.at("ssl.hostnameVerification"), "ssl.hostnameVerification=false switches ssl.clientHostnameVerification off, as in ZooKeeper", "remove one of them")
		t.ClientNames = false
	}
	l.checkVersions()
	l.checkSuites()
	asking := l.asksTLS()
	if asking == "" {
		return
	}
	if t.KeyStore.Path == "" {
		l.problem(l.at(asking), asking+" needs ssl.keyStore.location, which is not set",
			"write ssl.keyStore.location=FILE, a PEM, PKCS12 or JKS store of the server's key and certificate")
	}
	if t.TrustStore.Path == "" && t.ClientAuth != ClientAuthNone && l.parsed("ssl.clientAuth") {
		l.warn(l.at("ssl.clientAuth"), "without ssl.trustStore.location any certificate is good for a client that an authority of this system has signed, as in ZooKeeper",
			"write ssl.trustStore.location=FILE, or ssl.clientAuth=none")
	}
	if t.Unified && l.c.Client.Port == 0 {
		l.problem(l.at("client.portUnification"), "client.portUnification is set but clientPort is not set", "add clientPort=2181, or remove the line")
	}
}

// asksTLS is the key that wants TLS, "" if none does.
func (l *loader) asksTLS() string {
	c := l.c
	switch {
	case c.Client.Secure.Port != 0:
		return "secureClientPort"
	case c.TLS.Unified:
		return "client.portUnification"
	case c.TLS.GRPC && c.GRPC.Port != 0:
		return "grpcTls"
	case c.TLS.HTTP && c.HTTP.Port != 0:
		return "httpTls"
	default:
		return ""
	}
}

// TLSWanted tells whether any door speaks TLS.
func (c *Config) TLSWanted() bool { return (&loader{c: c}).asksTLS() != "" }

// tlsVersions are the versions by Java's names.
var tlsVersions = map[string]uint16{
	"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
}

// checkVersions finds the lowest and the highest version.
func (l *loader) checkVersions() {
	t := &l.c.TLS
	t.MinVersion, t.MaxVersion = tls.VersionTLS12, tls.VersionTLS13
	key, names := "ssl.enabledProtocols", t.Protocols
	if len(names) == 0 && t.Protocol != "" && t.Protocol != "TLS" {
		key, names = "ssl.protocol", []string{t.Protocol}
	}
	if len(names) == 0 {
		return
	}
	var versions []uint16
	for _, name := range names {
		v, ok := tlsVersions[name]
		if !ok {
			l.problem(l.at(key), fmt.Sprintf("%q is no version of TLS that can be spoken", name), "write TLSv1.2, TLSv1.3 or both with a comma")
			return
		}
		versions = append(versions, v)
	}
	slices.Sort(versions)
	versions = slices.Compact(versions)
	t.MinVersion, t.MaxVersion = versions[0], versions[len(versions)-1]
	if int(t.MaxVersion-t.MinVersion) != len(versions)-1 {
		l.problem(l.at(key), "a version between those is left out, which cannot be honoured", "write neighbours, such as TLSv1.2,TLSv1.3")
	}
	if t.MinVersion < tls.VersionTLS12 {
		l.warn(l.at(key), "versions before TLSv1.2 are broken", "write TLSv1.2,TLSv1.3")
	}
}

// checkSuites finds Go's suites by Java's names. Those of TLSv1.3 cannot be chosen among: naming none of them leaves the
// version out, and naming nothing else leaves it alone.
func (l *loader) checkSuites() {
	t := &l.c.TLS
	if len(t.SuiteNames) == 0 {
		return
	}
	good, weak := map[string]uint16{}, map[string]bool{}
	for _, s := range tls.CipherSuites() {
		good[s.Name] = s.ID
	}
	for _, s := range tls.InsecureCipherSuites() {
		good[s.Name], weak[s.Name] = s.ID, true
	}
	modern := false // a suite of TLS 1.3
	for _, name := range t.SuiteNames {
		id, ok := good["TLS_"+strings.TrimPrefix(strings.TrimPrefix(name, "TLS_"), "SSL_")]
		switch {
		case !ok:
			l.warn(l.at("ssl.ciphersuites"), "suite "+name+" is not known and left out", "remove it")
			continue
		case !strings.Contains(name, "_WITH_"):
			modern = true
			continue
		case weak["TLS_"+strings.TrimPrefix(name, "SSL_")] || weak[name]:
			l.warn(l.at("ssl.ciphersuites"), "suite "+name+" is weak", "remove it")
		}
		t.Suites = append(t.Suites, id)
	}
	if !modern {
		t.MaxVersion = min(t.MaxVersion, tls.VersionTLS12)
	}
	if len(t.Suites) == 0 {
		t.MinVersion = max(t.MinVersion, tls.VersionTLS13)
	}
	if t.MinVersion > t.MaxVersion {
		l.problem(l.at("ssl.ciphersuites"), "no suite is left for the versions of TLS that may be spoken", "add TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, or remove the line")
	}
}
