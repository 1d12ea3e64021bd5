package cli

import (
	"strconv"
	"strings"
	"time"
)

// invocation is what the arguments of the command line say.
type invocation struct {
	server   string
	grpc     bool // server is one of gRPC ports
	timeout  time.Duration
	readOnly bool
	wait     bool
	help     bool
	tls      string // path of a client configuration
	command  []string
}

// parseInvocation reads options up to the first word without a dash, which begins the command. As with ZooKeeper an option
// without its value, and one that is not known, costs no more than a line, which is returned.
func parseInvocation(args []string) (o invocation, problem string) {
	o = invocation{server: serverDefault, timeout: timeoutDefault}
	for len(args) > 0 {
		arg := args[0]
		if !strings.HasPrefix(arg, "-") {
			o.command = args
			return o, problem
		}
		args = args[1:]
		name := strings.TrimLeft(arg, "-")
		switch name {
		case "server", "grpc", "timeout", "client-configuration":
			if len(args) == 0 {
				return o, "Error: no argument found for option " + arg
			}
			if text := o.assign(name, args[0]); text != "" {
				problem = text
			}
			args = args[1:]
		case "r":
			o.readOnly = true
		case "waitforconnection":
			o.wait = true
		case "h", "help":
			o.help = true
		default:
			problem = "option " + arg + " is not known and was ignored; see paddock cli -help"
		}
	}
	return o, problem
}

// assign gives an option its value; a text says why it cannot.
func (o *invocation) assign(name, value string) (problem string) {
	switch name {
	case "server":
		o.server, o.grpc = value, false
	case "grpc":
		o.server, o.grpc = value, true
	case "timeout":
		ms, err := strconv.ParseInt(value, 10, 32)
		if err != nil || ms < 1 {
			return "-timeout " + value + " is not a number of milliseconds; " + timeoutDefault.String() + " is taken"
		}
		o.timeout = time.Duration(ms) * time.Millisecond
	default:
		o.tls = value
	}
	return ""
}
