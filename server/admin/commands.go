package admin

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"paddock/internal/zk"
)

// CommandOptions are what ZooKeeper's commands over HTTP need beside the words. Words is required; the functions may be nil for what a
// server has not.
type CommandOptions struct {
	// Path is where they are, without a slash at its end; "" for /commands.
	Path string
	// Words are those of the server, nil until it is live.
	Words func() *Words
	// Configuration is the text that the server was started with; "" for a member of an ensemble, which shows none.
	Configuration string
	// Settings are all that is in force, by key, secrets without their values.
	Settings func() map[string]string
	// Membership is the server's part in its ensemble; false for a server on its own.
	Membership func() (Membership, bool)
	// LastSnapshot is the newest snapshot on disk.
	LastSnapshot func() (at zk.Zxid, taken time.Time, ok bool)
	// Snapshot writes a snapshot of this moment to what open returns for its zxid.
	Snapshot func(ctx context.Context, open func(zk.Zxid) io.Writer) error
	// Authorize judges a credential: known is whether it is one, allowed whether whoever shows it may read everything.
	Authorize func(ctx context.Context, scheme string, credential []byte, ip string) (known, allowed bool)
	// SnapshotEvery is the least time between two snapshots.
	SnapshotEvery time.Duration
}

// Membership is a server's part in its ensemble.
type Membership struct {
	ServerID  int64
	Leader    int64
	HasLeader bool
	Stage     string // as zabstate has it
	Voting    bool
	Zxid      zk.Zxid
	Servers   []MemberServer
}

// MemberServer is one server of an ensemble. Addresses are host:port.
type MemberServer struct {
	ID               int64
	Quorum, Election []string
	Client           string // "" if the configuration does not say; the server knows its own
	Observer         bool
}

// commands serves ZooKeeper's commands.
type commands struct {
	CommandOptions
	mu   sync.Mutex // guards last
	last time.Time  // a snapshot was begun
}

// path is where they are.
func (c *commands) path() string { return cmp.Or(c.Path, "/commands") }

// Commands is the handler of CommandOptions.Path and what is below it, as ZooKeeper's AdminServer has them: each answers with a JSON object, whose
// status is 200 even if its error says what is wrong. What changes the data directory or gives away data wants a credential.
func Commands(o CommandOptions) http.Handler { return &commands{CommandOptions: o} }

// command is one command. Its result is without command and error, nil if the server cannot tell now.
type command struct {
	aliases []string
	always  bool // also of a server that does not serve
	run     func(c *commands, w *Words, r *http.Request) (object, error)
}

// told makes a command of what words have.
func told(f func(w *Words) object) func(*commands, *Words, *http.Request) (object, error) {
	return func(_ *commands, w *Words, _ *http.Request) (object, error) { return f(w), nil }
}

// commandList are all commands but those that write more than JSON.
var commandList = map[string]command{
	"configuration":                  {aliases: []string{"conf", "config"}, run: told((*Words).configurationCommand)},
	"connection_stat_reset":          {aliases: []string{"crst"}, run: told(func(w *Words) object { w.ResetConnections(); return object{} })},
	"connections":                    {aliases: []string{"cons"}, run: told((*Words).connectionsCommand)},
	"dirs":                           {run: told((*Words).dirsCommand)},
	"dump":                           {run: told((*Words).dumpCommand)},
	"environment":                    {aliases: []string{"env", "envi"}, always: true, run: told((*Words).environmentCommand)},
	"get_trace_mask":                 {aliases: []string{"gtmk"}, always: true, run: told(func(w *Words) object { return object{{"tracemask", w.mask.Load()}} })},
	"hash":                           {run: told((*Words).hashCommand)},
	"initial_configuration":          {aliases: []string{"icfg"}, run: (*commands).initialConfiguration},
	"is_read_only":                   {aliases: []string{"isro"}, run: told(func(w *Words) object { return object{{"read_only", w.src.State() == StateReadOnly}} })},
	"last_snapshot":                  {aliases: []string{"lsnp"}, run: (*commands).lastSnapshot},
	"leader":                         {aliases: []string{"lead"}, run: (*commands).leader},
	"monitor":                        {aliases: []string{"mntr"}, always: true, run: told((*Words).monitorCommand)},
	"observer_connection_stat_reset": {aliases: []string{"orst"}, run: told(func(w *Words) object { w.src.ResetObservers(); return object{} })},
	"observers":                      {aliases: []string{"obsr"}, run: (*commands).observers},
	"ruok":                           {run: told(func(*Words) object { return object{} })},
	"server_stats":                   {aliases: []string{"srvr"}, run: told((*Words).serverCommand)},
	"set_trace_mask":                 {aliases: []string{"stmk"}, always: true, run: (*commands).setTraceMask},
	"stat_reset":                     {aliases: []string{"srst"}, run: told(func(w *Words) object { w.ResetServer(); return object{} })},
	"stats":                          {aliases: []string{"stat"}, run: told((*Words).statsCommand)},
	"system_properties":              {aliases: []string{"sysp"}, always: true, run: (*commands).systemProperties},
	"voting_view":                    {run: (*commands).votingView},
	"watch_summary":                  {aliases: []string{"wchs"}, run: told((*Words).watchSummaryCommand)},
	"watches":                        {aliases: []string{"wchc"}, run: told((*Words).watchesCommand)},
	"watches_by_path":                {aliases: []string{"wchp"}, run: told((*Words).watchesByPathCommand)},
	"zabstate":                       {always: true, run: (*commands).zabState},
}

// The commands with more to them: the first gives data away, the others are for Java servers alone.
const (
	commandSnapshot = "snapshot"
	commandRestore  = "restore"
	commandShed     = "shed_connections"
)

// commandNames are the primary names of all commands by their names.
var commandNames = func() map[string]string {
	names := map[string]string{commandSnapshot: commandSnapshot, "snap": commandSnapshot, commandRestore: commandRestore, "rest": commandRestore,
		commandShed: commandShed, "shed": commandShed}
	for name, c := range commandList {
		names[name] = name
		for _, alias := range c.aliases {
			names[alias] = name
		}
	}
	return names
}()

// notServingError is ZooKeeper's error of a server without a quorum, or one that starts.
const notServingError = notServing

// ServeHTTP implements http.Handler.
func (c *commands) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	name, _ := strings.CutPrefix(r.URL.Path, c.path())
	name = strings.Trim(name, "/")
	switch primary, known := commandNames[name]; {
	case name == "":
		c.index(w)
	case !known:
		answer(w, http.StatusOK, name, object{}, "Unknown command: "+name)
	case primary == commandSnapshot:
		c.snapshot(w, r)
	case primary == commandRestore || primary == commandShed:
		c.refuse(w, r, primary)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "commands are asked for by GET", http.StatusMethodNotAllowed)
	default:
		c.run(w, r, primary)
	}
}

// index links to all commands.
func (c *commands) index(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	names := slices.Compact(slices.Sorted(maps.Values(commandNames)))
	for _, name := range names {
		fmt.Fprintf(w, "<a href=\"%s/%s\">%s</a>\n<br/>\n", c.path(), name, name)
	}
}

// run answers a command whose answer is JSON alone.
func (c *commands) run(w http.ResponseWriter, r *http.Request, name string) {
	it, words := commandList[name], c.Words()
	if words == nil || !it.always && words.src.State() == StateNotServing {
		answer(w, http.StatusOK, name, object{}, notServingError)
		return
	}
	out, err := it.run(c, words, r)
	switch {
	case err != nil:
		answer(w, http.StatusOK, name, object{}, err.Error())
	case out == nil:
		answer(w, http.StatusOK, name, object{}, notServingError)
	default:
		answer(w, http.StatusOK, name, out, "")
	}
}

// answer writes what a command has to tell.
func answer(w http.ResponseWriter, code int, name string, out object, problem string) {
	out = append(out, entry{"command", name}, entry{"error", nil})
	if problem != "" {
		out[len(out)-1].value = problem
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(out.append(nil, 0), '\n'))
}

// allowed tells whether a request has a credential that may read everything; it has answered if not.
func (c *commands) allowed(w http.ResponseWriter, r *http.Request, name string) bool {
	scheme, credential, found := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if scheme == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="paddock"`)
		answer(w, http.StatusUnauthorized, name, object{}, "Auth info is missing for the command")
		return false
	}
	secret := []byte(strings.TrimSpace(credential))
	if strings.EqualFold(scheme, "basic") && found { // what every client of HTTP has
		decoded, err := base64.StdEncoding.DecodeString(string(secret))
		if err == nil {
			scheme, secret = "digest", decoded
		}
	}
	ip := r.RemoteAddr
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		ip = at.Addr().Unmap().WithZone("").String()
	}
	var known, allowed bool
	if c.Authorize != nil {
		known, allowed = c.Authorize(r.Context(), strings.ToLower(scheme), secret, ip)
	}
	switch {
	case !known:
		answer(w, http.StatusUnauthorized, name, object{}, "Not authenticated")
	case !allowed:
		answer(w, http.StatusForbidden, name, object{}, "Not authorized")
	}
	return known && allowed
}

// refuse answers what only a Java server does.
func (c *commands) refuse(w http.ResponseWriter, r *http.Request, name string) {
	if !c.allowed(w, r, name) {
		return
	}
	why := "restore is not done while a server runs: stop it, put the snapshot into its data directory, and start it"
	if name == commandShed {
		why = "connections are not shed: have the server stop with `paddock stop --drain`, or end sessions one by one (ExpireSession)"
	}
	answer(w, http.StatusServiceUnavailable, name, object{}, why)
}

// snapshot streams a snapshot, or takes none: streaming=false is answered with its zxid alone.
func (c *commands) snapshot(w http.ResponseWriter, r *http.Request) {
	if !c.allowed(w, r, commandSnapshot) {
		return
	}
	words := c.Words()
	if c.Snapshot == nil || words == nil || words.src.State() == StateNotServing {
		answer(w, http.StatusServiceUnavailable, commandSnapshot, object{}, notServingError)
		return
	}
	if streaming := r.URL.Query().Get("streaming"); streaming != "" && !strings.EqualFold(streaming, "true") {
		answer(w, http.StatusBadRequest, commandSnapshot, object{}, "only a snapshot that is streamed is taken here; TakeSnapshot writes one into the data directory")
		return
	}
	c.mu.Lock()
	now := time.Now()
	wait := c.SnapshotEvery - now.Sub(c.last)
	if wait <= 0 || c.last.IsZero() {
		wait, c.last = 0, now
	}
	c.mu.Unlock()
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		answer(w, http.StatusTooManyRequests, commandSnapshot, object{}, "Rate limited")
		return
	}
	begun := false
	err := c.Snapshot(r.Context(), func(z zk.Zxid) io.Writer {
		begun = true
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("last_zxid", z.String())
		return w
	})
	switch {
	case err != nil && begun:
		panic(http.ErrAbortHandler) // so that the client does not take half for the whole
	case err != nil:
		answer(w, http.StatusInternalServerError, commandSnapshot, object{}, err.Error())
	}
}
