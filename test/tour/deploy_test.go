package tour

import (
	"testing"

	"paddock/server/config"
)

// The sample configuration is one that a server takes without a word.
func TestSampleConfigurationLoadsWithoutANotice(t *testing.T) {
	c, notices, err := config.Load(config.Source{File: "../../deploy/zoo.cfg"})
	if err != nil || len(notices) > 0 || c.DataDir != "/var/lib/paddock" {
		t.Fatalf("data in %q, notices %v, error %v", c.DataDir, notices, err)
	}
}
