#!/bin/sh
# Installs what Kafka needs: Debian packages, and from Maven Central the jars that pom.xml names, into bin/apps/kafka.
set -eu
cd "$(dirname "$0")"
. ../../packages.sh
debian zookeeper libzookeeper-java libslf4j-java libnetty-java default-jdk-headless maven
jars=$(cd ../../.. && pwd)/bin/apps/kafka
if [ ! "$jars/.installed" -nt pom.xml ]; then
	rm -rf "$jars"
	run mvn --quiet --batch-mode dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$jars"
	touch "$jars/.installed"
fi
