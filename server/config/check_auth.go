package config

import (
	"fmt"
	"strings"
)

// digestAlgorithms maps Java's names and their synonyms, in upper case, to the canonical one.
var digestAlgorithms = map[string]string{
	"MD5": "MD5", "SHA": "SHA1", "SHA1": "SHA1", "SHA-1": "SHA1",
	"SHA-224": "SHA-224", "SHA224": "SHA-224", "SHA-256": "SHA-256", "SHA256": "SHA-256",
	"SHA-384": "SHA-384", "SHA384": "SHA-384", "SHA-512": "SHA-512", "SHA512": "SHA-512",
	"SHA-512/224": "SHA-512/224", "SHA-512/256": "SHA-512/256",
	"SHA3-224": "SHA3-224", "SHA3-256": "SHA3-256", "SHA3-384": "SHA3-384", "SHA3-512": "SHA3-512",
}

func (l *loader) checkAuth() {
	a := &l.c.Auth
	if a.SkipACL {
		l.warn(l.at("skipACL"), "skipACL=yes: no ACL is checked, every client may do everything", "remove the line")
	}
	if alg, ok := digestAlgorithms[strings.ToUpper(a.DigestAlg)]; ok {
		a.DigestAlg = alg
	} else {
		l.problem(l.at("DigestAuthenticationProvider.digestAlg"), fmt.Sprintf("%q is not a known hash", a.DigestAlg), "write SHA1, SHA-256, SHA-512 or SHA3-256, the same on all servers")
	}
	if a.SuperDigest != "" {
		user, hash, ok := strings.Cut(a.SuperDigest, ":")
		if !ok || user == "" || hash == "" || strings.Contains(hash, ":") {
			l.warn(l.at("DigestAuthenticationProvider.superDigest"), "the value is not user:hash, so nobody becomes superuser", "write super:<base64 of the hash of super:password>")
		}
	}
	if !a.Enforce {
		return
	}
	if len(a.EnforceSchemes) == 0 {
		l.problem(l.at("enforce.auth.enabled"), "enforce.auth.enabled without enforce.auth.schemes", "add enforce.auth.schemes=digest")
	}
	for _, scheme := range a.EnforceSchemes {
		switch {
		case scheme == "ip", scheme == "digest" && a.DigestEnabled:
		case scheme == "sasl" || scheme == "x509" || scheme == "ensemble":
			l.problem(l.at("enforce.auth.schemes"), fmt.Sprintf("scheme %s comes later", scheme), "write digest")
		default:
			l.problem(l.at("enforce.auth.schemes"), fmt.Sprintf("scheme %q has no provider", scheme), "write digest or ip")
		}
	}
}

// checkFamilies judges keys whose names are open-ended.
func (l *loader) checkFamilies() {
	for _, e := range l.families {
		name := strings.TrimPrefix(e.key, "zookeeper.")
		k := family(name)
		switch {
		case e.value == "":
		case strings.HasPrefix(name, "authProvider."):
			l.checkProvider(e)
		case k.Status == Later:
			l.problem(e, "cannot be honoured: "+k.Reason, "remove the line")
		case strings.HasSuffix(name, "context.supplier.class"), strings.HasSuffix(name, ".authProvider"), strings.HasSuffix(name, ".sslProvider"):
			l.notice(Error, e, fmt.Sprintf("Java class %s cannot be loaded", e.value), "remove the line")
		}
	}
	l.checkQuorumSASL()
}

func (l *loader) checkProvider(e entry) {
	class := e.value[strings.LastIndexByte(e.value, '.')+1:]
	switch class {
	case "SASLAuthenticationProvider":
		l.problem(e, "cannot be honoured: scheme sasl comes later", "remove the line if no client needs it")
	case "X509AuthenticationProvider":
		l.problem(e, "cannot be honoured: scheme x509 comes later; TLS works without", "remove the line if no client needs it")
	case "EnsembleAuthenticationProvider":
		l.problem(e, "cannot be honoured: scheme ensemble comes later", "remove the line if no client needs it")
	case "DigestAuthenticationProvider", "IPAuthenticationProvider":
		l.info(e, "this scheme is built in", "remove the line")
	default:
		l.notice(Error, e, fmt.Sprintf("Java class %s cannot be loaded, its scheme is not available", e.value), "remove the line")
	}
}

// checkQuorumSASL refuses contradictions, beside what resolve says about SASL as such.
func (l *loader) checkQuorumSASL() {
	on := func(name string) bool { return l.c.settings[name].Value == "true" }
	const enable, learner, server = "quorum.auth.enableSasl", "quorum.auth.learnerRequireSasl", "quorum.auth.serverRequireSasl"
	for _, name := range []string{learner, server} {
		if on(name) && !on(enable) {
			l.problem(l.at(name), fmt.Sprintf("%s is disabled, so cannot enable %s", enable, name), "remove the line")
		}
	}
	if on(server) && !on(learner) {
		l.problem(l.at(server), fmt.Sprintf("%s is disabled, so cannot enable %s", learner, server), "remove the line")
	}
}
