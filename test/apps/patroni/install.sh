#!/bin/sh
# Installs what Patroni needs: Debian packages, and a virtual environment of its own in bin/apps/patroni.
set -eu
cd "$(dirname "$0")"
. ../../packages.sh
debian zookeeper libzookeeper-java libslf4j-java libnetty-java default-jre-headless
debian postgresql # whose package starts a server of its own, which is not needed
debian python3-venv
venv=$(cd ../../.. && pwd)/bin/apps/patroni
if [ ! "$venv/.installed" -nt requirements.txt ]; then
	rm -rf "$venv"
	run /usr/bin/python3 -m venv "$venv"
	run "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt
	touch "$venv/.installed"
fi
