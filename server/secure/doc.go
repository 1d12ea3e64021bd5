// Package secure is TLS for the doors: the server's key and the authorities it trusts, kept up to date, and handshakes within
// bounds.
//
// The wiring (package server) makes one TLS for all doors and runs Watch. juteapi shakes hands in the goroutine of a
// connection (Config, Handshake); the gRPC and HTTP ports accept from a Listener, which hands out connections whose handshake
// is over. All methods may be called from any goroutine. The keys and authorities in use sit behind an atomic pointer: a
// handshake that has begun ends with those that it began with.
//
// It guarantees that a handshake takes no longer than its timeout; that no more are under way at a time than Options say;
// that signing, most of their work, takes no more than half of the processors, so that a herd of clients that come back does
// not stand in the way of those that are there; that a failed handshake costs its own connection alone, is counted, and is
// logged once a minute for each address; and that files which have changed are used only if they are good, else what was
// loaded before stays.
//
// It does not say who a client is: whoever wants to know looks at the certificate itself. It knows neither revocation lists
// nor OCSP.
//
// Sources: ZooKeeper's X509Util, ClientX509Util and NettyServerCnxnFactory for what the settings mean.
package secure
