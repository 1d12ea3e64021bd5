#!/bin/sh
# Installs what the newest Curator needs: Debian packages, and its jars from Maven Central in bin/apps/curator.
set -eu
cd "$(dirname "$0")"
. ../../packages.sh
debian zookeeper libzookeeper-java libslf4j-java libnetty-java default-jdk-headless
command -v mvn >/dev/null || debian maven
jars=$(cd ../../.. && pwd)/bin/apps/curator
if [ ! "$jars/.installed" -nt pom.xml ]; then
	rm -rf "$jars"
	run mvn -q -B dependency:copy-dependencies -DoutputDirectory="$jars"
	touch "$jars/.installed"
fi
