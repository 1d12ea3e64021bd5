package node

import (
	"os/exec"
	"testing"

	"paddock/test/interop/dialogue"
	"paddock/test/interop/target"
)

func TestNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("%v; install it with: apt-get install -y --no-install-recommends nodejs npm", err)
	}
	target.Need(t, "", "node_modules/node-zookeeper-client/index.js")
	target.Each(t, func(t *testing.T, s *target.Server) {
		dialogue.Run(t, s, exec.Command(node, "suite.js"))
	})
}
