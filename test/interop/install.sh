#!/bin/sh
# Installs what the suites of this folder need: Debian packages, and the JavaScript client.
set -eu
cd "$(dirname "$0")"
. ../packages.sh
debian zookeeper libzookeeper-java libslf4j-java libnetty-java default-jdk-headless \
	libcurator-client-java libcurator-framework-java libcurator-recipes-java \
	libzookeeper-mt-dev gcc libc6-dev python3-kazoo
nodejs
modules node
