#!/bin/sh
# Installs what the suites of this folder need: Debian packages, and the JavaScript client. Says nothing when all is well, does
# nothing that is done already, and needs root only when a package is missing.
set -eu
cd "$(dirname "$0")"

packages="zookeeper libzookeeper-java libslf4j-java libnetty-java default-jdk-headless
libcurator-client-java libcurator-framework-java libcurator-recipes-java
libzookeeper-mt-dev gcc libc6-dev python3-kazoo"
command -v node >/dev/null && command -v npm >/dev/null || packages="$packages nodejs npm"

# run shows what a command printed only if it failed.
run() {
	log=$(mktemp)
	if "$@" >"$log" 2>&1; then
		rm -f "$log"
	else
		status=$?
		cat "$log" >&2
		rm -f "$log"
		echo "install.sh: $* ended with status $status" >&2
		exit "$status"
	fi
}

missing=
for package in $packages; do
	case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
if [ -n "$missing" ]; then
	export DEBIAN_FRONTEND=noninteractive
	run apt-get update
	# shellcheck disable=SC2086 # a list of names
	run apt-get install -y --no-install-recommends $missing
fi

if [ ! node/node_modules/.package-lock.json -nt node/package-lock.json ]; then
	(cd node && run npm ci --no-audit --no-fund)
fi
