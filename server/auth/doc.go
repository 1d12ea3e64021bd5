// Package auth decides who a connection is and what it may do: identities from credentials, and access lists.
//
// Called by server/prep and server/replica. An Authority is made once from the configuration and never changes;
// it holds no other state, so any goroutine may use it.
//
// What it guarantees: Check neither allocates nor fails, whatever is in the list; a list that needs no change comes
// back from FixACL and Redact as the very same slice, so the shared zk.OpenACL stays shared.
//
// What it does not do: it does not know which permission an operation needs (server/prep does), keeps no list of
// who has authenticated (server/replica does), and never sees TLS or SASL: identities that a transport proved are
// handed in with the connection.
//
// Schemes: world (in lists only), auth (in lists that clients send only), ip, digest, super (never in lists), and
// ensemble (a credential without an identity). A scheme without a provider here is refused in lists and
// credentials alike, as ZooKeeper does with one that is not configured.
//
// Source: the authentication providers and the access checks of ZooKeeper 3.5 to 3.10.
package auth
