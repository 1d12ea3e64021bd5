//go:build doors

package watches

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
)

// goneError tells that a watcher must list.
type goneError struct{ zxid uint64 }

func (e goneError) Error() string { return fmt.Sprintf("list again at %#x", e.zxid) }

// events has a watcher told by server-sent events, until ctx ends.
func events(ctx context.Context, w *watcher) {
	for ctx.Err() == nil {
		w.streams.Add(1)
		err := eventsOnce(ctx, w)
		var gone goneError
		if errors.As(err, &gone) {
			w.relist(ctx, gone.zxid)
		}
		w.perhapsAway(ctx)
	}
}

// sent is the data of any event.
type sent struct {
	Zxid, Reason, Detail string
	Changes              []struct {
		Type, Path, Zxid   string
		Text, PreviousText *string
		Data, PreviousData []byte
		ACL, PreviousACL   []sentEntry
	}
}

// sentEntry is one of an access list.
type sentEntry struct {
	Scheme, ID  string
	Permissions []string
}

// listOf is an access list as the contract has it.
func listOf(list []sentEntry) (out []*paddockv1.Acl) {
	for _, e := range list {
		m := &paddockv1.Acl{Scheme: e.Scheme, Id: e.ID}
		for _, p := range e.Permissions {
			m.Permissions = append(m.Permissions, paddockv1.Permission(paddockv1.Permission_value[p]))
		}
		out = append(out, m)
	}
	return out
}

// kindNames are the kinds as URLs have them.
var kindNames = map[kind]string{node: "persistent", recursive: "recursive", dataOnce: "data", childrenOnce: "children"}

var kinds = map[string]client.ChangeType{"created": client.Created, "deleted": client.Deleted, "data_changed": client.DataChanged, "acl_changed": client.ACLChanged}

// eventsOnce has it told over one connection.
func eventsOnce(ctx context.Context, w *watcher) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/v1/znodes%s?watch=%s&data&previous", w.http[rand.N(len(w.http))].addr(), w.path, kindNames[w.kind]), nil)
	if err != nil {
		return err
	}
	if w.lists {
		r.URL.RawQuery += "&acl"
	}
	if !w.stranger {
		r.SetBasicAuth(reader, readerPassword)
	}
	r.Header.Set("Last-Event-ID", strconv.FormatUint(w.at.Load(), 10))
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusal(w, response)
	}
	in := bufio.NewReader(response.Body)
	for {
		name, id, data, err := event(in)
		if err != nil {
			return err
		}
		w.perhapsStall(ctx)
		if err := w.event(name, id, data); err != nil {
			return err
		}
	}
}

// refusal is why there are no events.
func refusal(w *watcher, response *http.Response) error {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var problem struct{ Reason, Zxid string }
	if err := json.Unmarshal(body, &problem); err != nil {
		return fmt.Errorf("%s: %w", body, err)
	}
	if response.StatusCode == http.StatusGone {
		z, err := strconv.ParseUint(problem.Zxid, 10, 64)
		w.goneStatus.Add(1)
		return errors.Join(goneError{z}, err)
	}
	if problem.Reason == "ZXID_AHEAD" {
		w.refused.Add(1)
	}
	return fmt.Errorf("%s: %s", response.Status, body)
}

// event reads one event.
func event(in *bufio.Reader) (name, id, data string, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", "", "", err // what came of the event does not count
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			name = value
		case "id":
			id = value
		case "data":
			data = value
		case "":
			return name, id, data, nil
		}
	}
}

// event takes one.
func (w *watcher) event(name, id, data string) error {
	var e sent
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return err
	}
	if name == "cancelled" {
		z, _ := strconv.ParseUint(e.Zxid, 10, 64) // which most reasons do not have
		switch e.Reason {
		case "HISTORY_GONE":
			return goneError{z}
		case "SLOW_READER":
			w.slow.Add(1)
		case "ZXID_AHEAD":
			w.refused.Add(1)
		case "FIRED":
			w.take(nil, z)
		}
		return errors.New(e.Reason)
	}
	at, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return err
	}
	var list []change
	for _, c := range e.Changes {
		z, err := strconv.ParseUint(c.Zxid, 10, 64)
		if err != nil {
			return err
		}
		got := changeOf(kinds[c.Type], c.Path, z, bytesOf(c.Text, c.Data), bytesOf(c.PreviousText, c.PreviousData))
		got.list, got.oldList = listDigest(listOf(c.ACL)), listDigest(listOf(c.PreviousACL))
		list = append(list, got)
	}
	w.take(list, at)
	return nil
}

func bytesOf(text *string, data []byte) []byte {
	if text != nil {
		return []byte(*text)
	}
	return data
}
