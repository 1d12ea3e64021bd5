package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDocumentationIsFresh generates docs/configuration.md from the registry; -update writes it.
func TestDocumentationIsFresh(t *testing.T) {
	const path = "../../docs/configuration.md"
	got := documentation()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%s is stale (%v): go test ./server/config -run Documentation -update", path, err)
	}
}

const docsHead = `# Configuration

<!-- generated from server/config by: go test ./server/config -run Documentation -update -->

Paddock reads a ZooKeeper configuration as it is: ` + "`paddock serve --config zoo.cfg`" + `. Without a file it is a standalone
server with its data in ` + "`./data`" + `, for clients of the same host. Any key can also be given as a word of the command line,
` + "`paddock serve clientPort=2182`" + `.

## Where values come from

The strongest source wins: words of the command line, then the file, then the ` + "`-D`" + ` words of ` + "`JVMFLAGS`" + ` and
` + "`SERVER_JVMFLAGS`" + `. That the file beats ` + "`-D`" + ` is ZooKeeper's rule. Keys marked *-D* below are read by ZooKeeper from ` + "`-D`" + `
only; Paddock reads them from the file too, and there the ` + "`-D`" + ` word is the stronger.

The file has the syntax of Java properties: ` + "`k=v`, `k:v` or `k v`; `#` or `!` begins a comment line; a `\\` at the end continues" + `
the line; bytes are Latin-1, ` + "`\\uXXXX`" + ` is any other character; of two lines for one key the last wins, with a warning.

Values that ZooKeeper reads in a surprising way are read in the same way, with a warning: ` + "`snapCount=100k` means the default,\n`010` is eight, `forceSync=false` still syncs, `audit.enable=yes` is off" + `. Keys in the column *read* as strict must parse.

## What becomes of a key

- **honoured**: acts on a standalone server.
- **ensemble only**: read and checked; acts on a member of an ensemble.
- **ignored**: accepted; the server has no use for it. One line of the log lists those that were given.
- **not yet**: a value that asks for something stops the start, because silence would leave a server less protected than its
  configuration says.

An unknown key is a warning that names the nearest known one. Everything that is wrong is reported at once, one line each:
` + "`<file>:<line>: <key>: <problem>; <fix>`" + `, exit code 2.
`

func documentation() string {
	var b strings.Builder
	b.WriteString(docsHead)
	for _, section := range []struct {
		title string
		rows  []Key
	}{
		{"Server and doors", basicKeys}, {"Storage", storageKeys}, {"Load", loadKeys}, {"Znodes", znodeKeys},
		{"HTTP, metrics, audit", adminKeys}, {"Authentication", authKeys}, {"Ensemble", ensembleKeys}, {"TLS", tlsKeys},
		{"Internals of the Java server", ignoredKeys},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| key | read | default | status | effect |\n|---|---|---|---|---|\n", section.title)
		for _, k := range section.rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", docName(k), docRead(k), docDefault(k), docStatus(k), strings.ReplaceAll(k.Effect, "|", `\|`))
		}
	}
	return b.String()
}

func docName(k Key) string {
	name := "`" + k.Name + "`"
	if k.Prefix {
		name = "`" + k.Name + "…`"
	}
	for _, a := range k.Aliases {
		name += " or `" + a + "`"
	}
	if k.Own {
		name += " (Paddock's own)"
	}
	return name
}

func docRead(k Key) string {
	read := k.Kind.String()
	switch {
	case k.Bare:
		read += ", -D"
	case !k.lax() && k.Kind != KindString && k.Kind != KindPath && k.Kind != KindMember && k.Kind != KindHost:
		read += ", strict"
	}
	return read
}

func docDefault(k Key) string {
	switch {
	case k.Default == "":
		return k.Note
	case k.Note == "":
		return "`" + k.Default + "`"
	case strings.HasPrefix(k.Note, "and "), strings.HasPrefix(k.Note, "= admin"):
		return "`" + k.Default + "`, " + k.Note
	default:
		return k.Note
	}
}

func docStatus(k Key) string {
	if k.Reason != "" {
		return k.Status.String() + ": " + k.Reason
	}
	return k.Status.String()
}
