// Package secure plays clients over TLS: kazoo, and Java's own client as zkCli.sh starts it, with key and trust stores of
// each kind on either side. The stores are those of internal/keystore/testdata, made by openssl and keytool.
package secure
