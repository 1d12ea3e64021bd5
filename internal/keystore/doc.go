// Package keystore reads key and trust stores: PEM, PKCS12 and Java's JKS.
//
// The server (package server/secure) calls it at the start, and again when a file has changed. A Store is a value; nothing
// is kept between calls, and every call reads the file anew.
//
// It guarantees that what it returns can be used: the key belongs to the certificate it comes with, and the certificate
// is valid at the time that the caller names. Whatever is wrong is an *Error, which says which setting is at fault and what
// to do about it.
//
// It does not write stores, and does not look at who signed what.
//
// Sources: PEM as ZooKeeper's PemReader accepts it (RFC 7468, with encrypted keys of RFC 5958 by PBES1 and PBES2 of RFC 8018),
// and beyond that keys of PKCS#1 and SEC 1; PKCS12 is RFC 7292 with Java's attribute for trusted certificates; JKS is
// sun.security.provider.JavaKeyStore. As in Java, a file that is said to be JKS may be PKCS12, and the other way round:
// keytool writes PKCS12 whatever the name of the file.
package keystore
