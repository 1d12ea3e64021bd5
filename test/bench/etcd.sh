#!/usr/bin/env bash
# Builds etcd, which the doors are compared with, and prints the path of the binary. It is built once, in the user's cache: a
# module of its own requires it, since etcd's go.mod has replacements that `go install module@version` refuses.
set -euo pipefail

version=v3.7.3
dir="${XDG_CACHE_HOME:-$HOME/.cache}/paddock-bench/etcd-$version"

if [ ! -x "$dir/etcd" ]; then
  mkdir -p "$dir"
  cd "$dir"
  rm -f go.mod go.sum
  {
    go mod init etcd
    go get "go.etcd.io/etcd/server/v3@$version"
    CGO_ENABLED=0 GOFLAGS=-mod=mod go build -trimpath -ldflags '-s -w' -o etcd.new go.etcd.io/etcd/server/v3
    mv etcd.new etcd
  } >&2
fi
echo "$dir/etcd"
