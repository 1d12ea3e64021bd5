package config

import "strings"

func isTrue(v string) bool { return strings.EqualFold(v, "true") }

// asksPort: 0 and -1 are ways of writing "no port".
func asksPort(v string) bool { return v != "" && v != "0" && v != "-1" }

const (
	reasonSASL = "SASL comes later"
	reasonTLS  = "TLS between servers comes later"
)

var authKeys = []Key{
	{Name: "skipACL", Property: true, Kind: KindOnlyYes, Default: "no", Effect: "yes = no ACL is checked",
		bind: func(c *Config) any { return &c.Auth.SkipACL }},
	{Name: "enableEagerACLCheck", Property: true, Kind: KindBool, Default: "false", Effect: "followers check ACLs before they forward a write",
		Status: Ensemble, bind: func(c *Config) any { return &c.Auth.EagerACLCheck }},
	{Name: "DigestAuthenticationProvider.enabled", Property: true, Kind: KindBool, Default: "true", Effect: "scheme digest",
		bind: func(c *Config) any { return &c.Auth.DigestEnabled }},
	{Name: "DigestAuthenticationProvider.digestAlg", Property: true, Kind: KindString, Default: "SHA1", Effect: "hash of scheme digest; changing it orphans existing ACL entries",
		bind: func(c *Config) any { return &c.Auth.DigestAlg }},
	{Name: "DigestAuthenticationProvider.superDigest", Property: true, Secret: true, Kind: KindString, Note: "no superuser", Effect: "super:<base64 hash>, the digest id that is superuser",
		bind: func(c *Config) any { return &c.Auth.SuperDigest }},
	{Name: "enforce.auth.enabled", Property: true, Kind: KindBool, Default: "false", Effect: "sessions must authenticate with one of enforce.auth.schemes",
		bind: func(c *Config) any { return &c.Auth.Enforce }},
	{Name: "enforce.auth.schemes", Property: true, Kind: KindList, Effect: "schemes that count: digest, ip",
		bind: func(c *Config) any { return &c.Auth.EnforceSchemes }},
	{Name: "sessionRequireClientSASLAuth", Property: true, Kind: KindBool, Default: "false", Effect: "sessions must authenticate with SASL",
		Status: Later, Reason: reasonSASL, asks: isTrue},
	{Name: "allowSaslFailedClients", Property: true, Kind: KindBool, Default: "false", Effect: "go on after failed SASL",
		Status: Ignored, Reason: "SASL only"},
	{Name: "java.security.auth.login.config", Bare: true, Kind: KindPath, Effect: "login sections of SASL",
		Status: Later, Reason: reasonSASL},
	{Name: "authProvider.", Prefix: true, Property: true, Kind: KindString, Effect: "further schemes by class name: SASL, X509 and Ensemble are not served yet; other classes cannot be loaded",
		Status: Later, Reason: "further schemes come later"},
	{Name: "superUser", Prefix: true, Property: true, Kind: KindString, Effect: "SASL names that are superuser", Status: Ignored, Reason: "SASL only"},
	{Name: "X509AuthenticationProvider.superUser", Property: true, Kind: KindString, Effect: "certificate name that is superuser", Status: Ignored, Reason: "scheme x509 comes later"},
	{Name: "SASLAuthenticationProvider.superPassword", Property: true, Secret: true, Kind: KindString, Effect: "password of the SASL user super", Status: Ignored, Reason: "SASL only"},
	{Name: "ensembleAuthName", Property: true, Kind: KindList, Effect: "names of scheme ensemble", Status: Ignored, Reason: "scheme ensemble only"},
	{Name: "sasl.serverconfig", Property: true, Kind: KindString, Default: "Server", Effect: "login section of the client port", Status: Ignored, Reason: "SASL only"},
	{Name: "jaasLoginRenew", Kind: KindMillis, Effect: "ticket renewal", Status: Ignored, Reason: "SASL only"},
	{Name: "requireClientAuthScheme", Kind: KindString, Effect: "no effect in ZooKeeper either", Status: Ignored, Reason: "SASL only"},
	{Name: "letAnySaslUserDoX", Property: true, Kind: KindString, Effect: "SASL users match every id", Status: Ignored, Reason: "SASL only"},
	{Name: "kerberos.", Prefix: true, Property: true, Kind: KindString, Effect: "Kerberos names", Status: Ignored, Reason: "SASL only"},
	{Name: "security.auth_to_local", Property: true, Kind: KindString, Effect: "Kerberos name rules", Status: Ignored, Reason: "SASL only"},
	{Name: "requireKerberosConfig", Property: true, Kind: KindBool, Effect: "Kerberos", Status: Ignored, Reason: "SASL only"},
	{Name: "quorum.auth.enableSasl", Kind: KindBool, Default: "false", Effect: "SASL between servers", Status: Later, Reason: reasonSASL, asks: isTrue},
	{Name: "quorum.auth.learnerRequireSasl", Kind: KindBool, Default: "false", Effect: "SASL between servers", Status: Later, Reason: reasonSASL, asks: isTrue},
	{Name: "quorum.auth.serverRequireSasl", Kind: KindBool, Default: "false", Effect: "SASL between servers", Status: Later, Reason: reasonSASL, asks: isTrue},
	{Name: "quorum.auth.learner.saslLoginContext", Kind: KindString, Default: "QuorumLearner", Effect: "login section", Status: Ignored, Reason: "SASL only"},
	{Name: "quorum.auth.server.saslLoginContext", Kind: KindString, Default: "QuorumServer", Effect: "login section", Status: Ignored, Reason: "SASL only"},
	{Name: "quorum.auth.kerberos.servicePrincipal", Kind: KindString, Default: "zkquorum/localhost", Effect: "Kerberos principal", Status: Ignored, Reason: "SASL only"},
}
