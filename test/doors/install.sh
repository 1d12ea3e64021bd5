#!/bin/sh
# Installs what the suites of this folder need: Debian packages, and modules from npm.
set -eu
cd "$(dirname "$0")"
. ../packages.sh
debian chromium python3-grpc-tools curl
nodejs
for folder in */; do
	[ ! -f "$folder/package-lock.json" ] || modules "$folder"
done
