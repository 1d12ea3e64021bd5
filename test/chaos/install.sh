#!/bin/sh
# Installs what the tests of this folder need beside the compiler and ZooKeeper.
set -eu
cd "$(dirname "$0")"
. ../packages.sh
debian haproxy
