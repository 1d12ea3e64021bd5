package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// The problems below are found by others, when they open ports and directories. Their words live here, so
// that everything a start can say has one voice.

// holder is " by pid 812 (java)", as far as it is known.
func holder(pid int, process string) string {
	switch {
	case pid <= 0:
		return ""
	case process == "":
		return fmt.Sprintf(" by pid %d", pid)
	default:
		return fmt.Sprintf(" by pid %d (%s)", pid, process)
	}
}

// ClientPortTaken is for a client port that another process listens on. pid 0 and an empty process mean unknown.
func ClientPortTaken(c *Config, pid int, process string) Problem {
	return c.portTaken("clientPort", fmt.Sprintf("client port %d is taken%s", c.Client.Port, holder(pid, process)))
}

// SecureClientPortTaken is ClientPortTaken for the client port over TLS.
func SecureClientPortTaken(c *Config, pid int, process string) Problem {
	return c.portTaken("secureClientPort", fmt.Sprintf("secure client port %d is taken%s", c.Client.Secure.Port, holder(pid, process)))
}

// StoreUnusable is for a key or trust store that TLS cannot work with; key is the setting at fault.
func StoreUnusable(c *Config, key, problem, fix string) Problem {
	p := Problem{File: c.File, Key: key, Problem: problem, Fix: fix}
	if o := c.settings[key].Origin; o.Kind == OriginFile {
		p.File, p.Line = o.File, o.Line
	}
	return p
}

// GRPCPortTaken is ClientPortTaken for the gRPC port.
func GRPCPortTaken(c *Config, pid int, process string) Problem {
	return c.portTaken("grpcPort", fmt.Sprintf("gRPC port %d is taken%s", c.GRPC.Port, holder(pid, process)))
}

func (c *Config) portTaken(key, text string) Problem {
	p := Problem{Key: key, Problem: text, Fix: "stop that process, or set another " + key, Exit: ExitUnexpected}
	if o := c.settings[key].Origin; o.Kind == OriginFile {
		p.File, p.Line = o.File, o.Line
	}
	// The text names the port in words; the key would only repeat it.
	p.Key = ""
	return p
}

// WebPortTaken is a warning: a busy port that speaks HTTP never stops the start, the server tries again. name is the port's, such as HTTP port,
// and key its setting.
func WebPortTaken(name, key string, port, pid int, process string) Notice {
	return Notice{Level: Warn, Message: fmt.Sprintf("%s %d is taken%s, trying again", name, port, holder(pid, process)), Fix: "set another " + key}
}

// WebPortUnusable is WebPortTaken for one that cannot be opened for another reason, err.
func WebPortUnusable(name, key string, port int, err error) Notice {
	return Notice{Level: Warn, Message: fmt.Sprintf("%s %d cannot be opened: %s, trying again", name, port, err),
		Fix: "correct the address beside " + key + ", or set a port that this user may open"}
}

// ElectionPortTaken is for the address of the own election port.
func ElectionPortTaken(address string, pid int, process string) Problem {
	return Problem{Problem: fmt.Sprintf("election port %s is taken%s", address, holder(pid, process)), Fix: "stop that process", Exit: ExitElectionPort}
}

// DiskFull is for a member whose disk has so few bytes free that it may not go on; least is the bound.
func DiskFull(key, dir string, free, least int64) Problem {
	return Problem{Key: key, Problem: fmt.Sprintf("the disk of %s has %d KiB free, less than the %d KiB that a member of an ensemble needs", dir, free>>10, least>>10),
		Fix: "make room, then start this server again: it catches up from the others", Exit: ExitDataDir}
}

// QuorumPortTaken is for the address of the own quorum port.
func QuorumPortTaken(address string, pid int, process string) Problem {
	return Problem{Problem: fmt.Sprintf("quorum port %s is taken%s", address, holder(pid, process)), Fix: "stop that process", Exit: ExitUnexpected}
}

// ObserverPortTaken is for the address at which this server would serve observers.
func ObserverPortTaken(address string, pid int, process string) Problem {
	return Problem{Problem: fmt.Sprintf("port %s for observers is taken%s", address, holder(pid, process)), Fix: "stop that process or choose another observerMasterPort", Exit: ExitUnexpected}
}

// DataDirUnusable is for a directory that cannot be created or written, or that holds what cannot be; key is dataDir or
// dataLogDir, err says what was tried, uid is the user the process runs as.
func DataDirUnusable(key, dir string, err error, uid int) Problem {
	op, fix := "access", "create it for this user"
	within := false // what may not be used is there
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		op, within = pe.Op, pe.Op == "open"
		if file, err := filepath.Rel(dir, pe.Path); err == nil && filepath.IsLocal(file) && file != "." && op != "stat" {
			op, within = op+" "+file, true
		}
	}
	switch {
	case errors.Is(err, syscall.EROFS):
		fix = "mount it for writing"
	case errors.Is(err, syscall.ENOTDIR):
		fix = "remove that file"
	case errors.Is(err, syscall.EPERM) && uid == 0: // whoever owns it
		fix = "take off the attribute that forbids it (lsattr shows it)"
	case within && errors.Is(err, fs.ErrPermission):
		fix = fmt.Sprintf("give it to this user with all that is in it (chown -R %d)", uid)
	}
	return Problem{Problem: fmt.Sprintf("%s %s: %s: %s (running as uid %d)", key, dir, op, plain(err), uid),
		Fix: fix + ", or correct " + key, Exit: ExitDataDir}
}

// DataDirMissing is for a directory that does not exist while datadir.autocreate is off.
func DataDirMissing(key, dir string) Problem {
	return Problem{Problem: fmt.Sprintf("%s %s does not exist and autocreate is off", key, dir),
		Fix: "wrong path, or create it", Exit: ExitDataDir}
}

// DataDirInUse is for a directory that another server has locked. pid 0 means unknown.
func DataDirInUse(dir string, pid int) Problem {
	by := "another server"
	if pid > 0 {
		by = fmt.Sprintf("pid %d", pid)
	}
	return Problem{Problem: fmt.Sprintf("%s is in use by %s", dir, by), Fix: "stop it, or give this server its own dataDir", Exit: ExitDataDir}
}
