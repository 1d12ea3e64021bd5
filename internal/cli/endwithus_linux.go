package cli

import (
	"os/exec"
	"syscall"
)

// endWithUs has a command told to end when this program is killed: what it holds is given to somebody else then. The thread that starts the
// command must last as long as it.
func endWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
