#!/bin/sh
# Makes the stores of the tests anew, with openssl and keytool (Debian: openssl, default-jre-headless). They hold for a
# hundred years, save the expired ones. The password of all is in password.txt.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -f ./*.pem ./*.p12 ./*.jks ./*.der password.txt
password=old-secret
longer="pässword-$(printf %080d 1)" # of more than one block of a hash
echo "$password" >password.txt
days=36500
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }

quietly openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/ca.key" -out ca.pem -days $days -subj "/O=Paddock tests/CN=authority"

# sign NAME ALGORITHM SAN: a key, and a certificate of the authority for it.
sign() {
	quietly openssl req -newkey "$2" -pkeyopt "${4:-rsa_keygen_bits:2048}" -nodes -keyout "$work/$1.key" -out "$work/$1.csr" -subj "/O=Paddock tests/CN=$1"
	printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3" >"$work/ext"
	quietly openssl x509 -req -in "$work/$1.csr" -CA ca.pem -CAkey "$work/ca.key" -set_serial "0x$(openssl rand -hex 8)" -days $days -extfile "$work/ext" -out "$work/$1.crt"
}
sign server rsa DNS:localhost,IP:127.0.0.1
sign curve ec DNS:localhost,IP:127.0.0.1 ec_paramgen_curve:P-256
sign client rsa DNS:client.example,IP:127.0.0.1
sign elsewhere rsa DNS:elsewhere.example,IP:192.0.2.1

# PEM: key and chain in one file.
for name in server curve client elsewhere; do
	cat "$work/$name.key" "$work/$name.crt" ca.pem >$name.pem
done
cat ca.pem "$work/server.crt" "$work/server.key" >server-backwards.pem
{ openssl rsa -in "$work/server.key" -traditional 2>/dev/null; cat "$work/server.crt"; } >server-pkcs1.pem
{ openssl ec -in "$work/curve.key" 2>/dev/null; cat "$work/curve.crt"; } >curve-sec1.pem
{ openssl pkcs8 -topk8 -in "$work/server.key" -v2 aes-256-cbc -passout "pass:$password"; cat "$work/server.crt" ca.pem; } >server-encrypted.pem
# PBES1, as Java writes and reads it. RC2 stands for what is not read.
for scheme in MD5-DES SHA1-DES SHA1-3DES SHA1-RC2-40; do
	{ openssl pkcs8 -topk8 -in "$work/server.key" -v1 "PBE-$scheme" -provider legacy -provider default -passout "pass:$password"; cat "$work/server.crt"; } >"server-$scheme.pem"
done
{ openssl pkcs8 -topk8 -in "$work/server.key" -v1 PBE-SHA1-3DES -iter 3 -passout "pass:$longer"; cat "$work/server.crt"; } >server-long-password.pem
{ openssl rsa -in "$work/server.key" -aes128 -traditional -passout "pass:$password" 2>/dev/null; cat "$work/server.crt"; } >server-dek.pem
cat "$work/server.key" "$work/client.crt" >mismatched.pem
cat "$work/server.key" >keyonly.pem

# PKCS12 of openssl and of keytool, and JKS.
for name in server client; do
	openssl pkcs12 -export -in $name.pem -inkey "$work/$name.key" -name $name -out $name.p12 -passout "pass:$password"
	quietly keytool -importkeystore -srckeystore $name.p12 -srcstorepass "$password" -destkeystore $name-keytool.p12 -deststoretype PKCS12 -deststorepass "$password"
	quietly keytool -importkeystore -srckeystore $name.p12 -srcstorepass "$password" -destkeystore $name.jks -deststoretype JKS -deststorepass "$password"
done
cp server-keytool.p12 server-pkcs12.jks
cp server.jks server-keypass.jks
quietly keytool -keypasswd -keystore server-keypass.jks -storepass "$password" -alias server -keypass "$password" -new another-secret
quietly keytool -importcert -noprompt -file ca.pem -alias ca -keystore trust.p12 -storetype PKCS12 -storepass "$password"
quietly keytool -importcert -noprompt -file ca.pem -alias ca -keystore trust.jks -storetype JKS -storepass "$password"
openssl pkcs12 -export -nokeys -in ca.pem -out untrusted.p12 -passout "pass:$password"
quietly keytool -genseckey -alias s -keyalg AES -keysize 128 -keystore secret-jceks.jks -storetype JCEKS -storepass "$password"

quietly keytool -genkeypair -alias old -keyalg RSA -keysize 2048 -dname "CN=expired, O=Paddock tests" -startdate "2020/01/01 00:00:00" -validity 1 -keystore expired.p12 -storetype PKCS12 -storepass "$password"
openssl pkcs12 -in expired.p12 -nodes -passin "pass:$password" -out expired.pem 2>/dev/null
