#!/bin/sh
# Installs what the tests of this folder need beside the compiler and ZooKeeper: HAProxy. Says nothing when all is well, does nothing that is done
# already, and needs root only when it is missing.
set -eu
[ "$(dpkg-query -W -f '${db:Status-Status}' haproxy 2>/dev/null || true)" = installed ] && exit 0
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends haproxy >/dev/null </dev/null
