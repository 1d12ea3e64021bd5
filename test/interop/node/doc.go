// Package node plays node-zookeeper-client, the JavaScript client, against each target. The cases are in suite.js and the files
// it requires; npm ci, which test/interop/install.sh calls, brings the client at the version and with the hash that
// package-lock.json names.
package node
