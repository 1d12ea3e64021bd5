// Package deploy checks what deploy/ holds, each file with the tools of those who will read it, and plays it with real
// processes as far as one machine can.
//
// The chart is linted and rendered by Helm's own library, and what comes out is decoded strictly into the types of
// Kubernetes; the container file is read by BuildKit and its last stage laid out in a directory, in which the server runs
// as the image's user; the compose file is loaded by compose's library; the unit is verified and judged by systemd-analyze;
// alerts, their tests and the dashboard's queries go through promtool. Metric names are compared with what a running server
// lists. Configurations are given to the binary itself.
//
// PADDOCK_BIN names the binary, else it is ../../bin/paddock; paddock-member is built by the test. systemd-analyze and
// promtool must be installed (Debian packages systemd and prometheus). Nothing is skipped: what is missing fails.
//
// deploy/kubernetes is made from the chart: `go test . -run Manifests -update` writes it anew.
package deploy
