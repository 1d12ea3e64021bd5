package zkcli

import (
	"bytes"
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"paddock/test/interop/target"
)

// TestExportOverGRPCKeepsKindsAndAccessLists exports a tree, imports it beside itself, and exports that: it is the same but for the path.
func TestExportOverGRPCKeepsKindsAndAccessLists(t *testing.T) {
	port := strconv.Itoa(target.FreePort(t))
	target.New(t, "paddock", "grpcPort="+port)
	door := "127.0.0.1:" + port
	cli := func(input string, words ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), runDeadline)
		defer cancel()
		cmd := exec.CommandContext(ctx, target.Binary(t), append([]string{"cli", "--grpc", door}, words...)...)
		var stderr bytes.Buffer
		cmd.Stdin, cmd.Stderr = strings.NewReader(input), &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, stderr.String())
		}
		return string(out)
	}
	cli("create /from text\ncreate -c /from/box\ncreate /from/box/inside x\ncreate -t 600000 /from/lease soon\n" +
		"create /from/secret hush digest:ann:XYZ=:cdrwa,world:anyone:r\ncreate -e /from/gone x\nsetAcl /from world:anyone:cdrwa\nquit\n")
	first := cli("", "export", "/from")
	for _, want := range []string{
		`{"path":"/from/box","mode":"container"}`, `{"path":"/from/lease","text":"soon","mode":"ttl","ttl_ms":600000}`, `"id":"ann:x"`,
	} {
		if !strings.Contains(first, want) {
			t.Errorf("the export lacks %s:\n%s", want, first)
		}
	}
	if strings.Contains(first, "/from/gone") {
		t.Errorf("the ephemeral is in the export:\n%s", first)
	}
	cli(first, "import", "-to", "/to")
	second := cli("", "export", "/to")
	head, rest, _ := strings.Cut(first, "\n")
	_, again, _ := strings.Cut(strings.ReplaceAll(second, `"/to`, `"/from`), "\n")
	if rest != again {
		t.Errorf("after %s\n--- exported\n%s\n--- imported and exported\n%s", head, rest, again)
	}
}
