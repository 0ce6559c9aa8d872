package relay

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	bolt "go.etcd.io/bbolt"
)

// document is what a format writes at once: a file, the body of a request, or a message.
type document struct {
	name  string // of the file in the folder; "": the document is for MQTT alone
	grows bool   // body is appended to the file; otherwise it replaces the file
	head  []byte // of a file that grows: its first line
	kind  string // media type
	path  string // of a request, below the URL
	topic string // of a message; "": the document is not for MQTT
	body  []byte
}

// sink takes documents, in their order.
type sink interface {
	// write returns when the sink has all of the documents. It returns the lengths of
	// the files that grew.
	write(ctx context.Context, docs []document) (map[string]int64, error)
}

// refusedError reports an answer of the sink that is no success.
type refusedError struct {
	text    string
	content bool // the sink understood the request and refuses its content: waiting does not help
}

func (e refusedError) Error() string { return e.text }

// sinkTimeout is the longest time of one request or message, chosen by hand.
const sinkTimeout = 60 * time.Second

// openSink returns the sink of Opts.Out.
func openSink(o Opts, db *position) (sink, error) {
	auth := ""
	if o.OutAuth != "" {
		var err error
		if auth, err = readSecret(o.OutAuth); err != nil {
			return nil, fmt.Errorf("-out-auth: %w", err)
		}
	}
	scheme, _, isURL := strings.Cut(o.Out, "://")
	switch {
	case !isURL:
		if err := os.MkdirAll(o.Out, 0o755); err != nil {
			return nil, fmt.Errorf("make the folder of the files: %w", err)
		}
		return &files{dir: o.Out, db: db}, nil
	case scheme == "http" || scheme == "https":
		return newWeb(o, auth)
	case slices.Contains([]string{"mqtt", "mqtts", "ws", "wss"}, scheme):
		if !formats[o.Format](o).forMQTT() {
			return nil, fmt.Errorf("-to %s has no topics: -out must be a folder or http[s]://", o.Format)
		}
		return &otherBroker{o: o, auth: auth, id: "kerb-relay-out-" + db.id()}, nil
	}
	return nil, fmt.Errorf("-out %q: must be a folder, http[s]:// or mqtt[s]://", o.Out)
}

// readSecret reads a file of one line.
func readSecret(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimRight(string(b), "\r\n"), err
}

// files writes documents into a folder. Every file is synced before write returns. A
// file that grows is cut to its length at the last commit first: what a crash left
// behind that is written again, so that each window is in the files once. A document
// that replaces its file has a name by the place of its first window, with the same
// effect.
type files struct {
	dir string
	db  *position
}

func (f *files) write(_ context.Context, docs []document) (map[string]int64, error) {
	grown := map[string]int64{}
	for _, d := range docs {
		if d.name == "" {
			continue
		}
		path := filepath.Join(f.dir, d.name)
		if !d.grows {
			if err := replaceFile(path, d.body); err != nil {
				return nil, err
			}
			continue
		}
		from, ok := grown[d.name]
		if !ok {
			var err error
			if from, err = f.committed(d.name, path); err != nil {
				return nil, err
			}
		}
		n, err := appendFile(path, from, d)
		if err != nil {
			return nil, err
		}
		grown[d.name] = n
	}
	return grown, syncFolder(f.dir)
}

// committed returns the length of a file at the last commit. Of a file that has none,
// its present length is committed: it is empty, or of an earlier position.
func (f *files) committed(name, path string) (n int64, err error) {
	known := false
	err = f.db.View(func(tx *bolt.Tx) error {
		v := tx.Bucket(filesBucket).Get([]byte(name))
		if known = v != nil; known {
			return json.Unmarshal(v, &n)
		}
		return nil
	})
	if known || err != nil {
		return n, err
	}
	if i, err := os.Stat(path); err == nil {
		n = i.Size()
	}
	return n, f.db.Update(func(tx *bolt.Tx) error { return putJSON(tx.Bucket(filesBucket), []byte(name), n) })
}

// appendFile appends a document to a file that has from bytes, and returns its length.
// The file is cut behind these bytes; a file that was shortened is continued at its end.
func appendFile(path string, from int64, d document) (n int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	from = min(from, end)
	if err := f.Truncate(from); err != nil {
		return 0, err
	}
	body := d.body
	if from == 0 {
		body = slices.Concat(d.head, d.body)
	}
	if _, err := f.WriteAt(body, from); err != nil {
		return 0, err
	}
	return from + int64(len(body)), f.Sync()
}

// replaceFile writes a file so that a reader sees the old one or the whole new one.
func replaceFile(path string, body []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".relay-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(body)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// web sends each document as one POST. A status 2xx means that the server has it.
type web struct {
	base   *url.URL
	auth   string
	client *http.Client
}

func newWeb(o Opts, auth string) (*web, error) {
	u, err := url.Parse(o.Out)
	switch {
	case err != nil:
		return nil, fmt.Errorf("-out: %w", err)
	case u.User != nil:
		return nil, errors.New("-out: a URL is no place for a password: -out-auth names a file with the header Authorization")
	case auth != "" && u.Scheme == "http" && !isLocal(u.Hostname()):
		return nil, errors.New("-out-auth goes over https alone, unless the server is on this machine")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	if o.OutCA != "" {
		pem, err := os.ReadFile(o.OutCA)
		if err != nil {
			return nil, fmt.Errorf("-out-ca: %w", err)
		}
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("-out-ca: no certificate in %s", o.OutCA)
		}
	}
	return &web{u, auth, &http.Client{Transport: t, Timeout: sinkTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

func isLocal(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

func (w *web) write(ctx context.Context, docs []document) (map[string]int64, error) {
	for _, d := range docs {
		if d.name == "" {
			continue
		}
		if err := w.post(ctx, d); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// post sends one document. Statuses that say that the content is wrong are told apart
// from all others, at which waiting may help.
func (w *web) post(ctx context.Context, d document) error {
	to, body := w.base, d.body
	if d.path != "" {
		to = to.JoinPath(d.path)
	}
	if d.grows {
		body = slices.Concat(d.head, d.body)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", d.kind)
	if w.auth != "" {
		q.Header.Set("Authorization", w.auth)
	}
	a, err := w.client.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	says, _ := io.ReadAll(io.LimitReader(a.Body, 200))
	_, _ = io.Copy(io.Discard, io.LimitReader(a.Body, 1<<20)) // so that the connection is used again
	if a.StatusCode/100 == 2 {
		return nil
	}
	return refusedError{
		text:    fmt.Sprintf("%s answers %s: %q", to.Redacted(), a.Status, says),
		content: slices.Contains([]int{400, 409, 413, 415, 422}, a.StatusCode),
	}
}

// otherBroker publishes documents that have a topic to a broker that is not the
// devices'. A PUBACK means that it has them.
type otherBroker struct {
	o        Opts
	auth, id string
	client   mqtt.Client
}

func (b *otherBroker) write(_ context.Context, docs []document) (map[string]int64, error) {
	if b.client == nil || !b.client.IsConnectionOpen() {
		t := b.o.TLS
		t.CAFile, t.CertFile, t.KeyFile = b.o.OutCA, "", ""
		o, err := clientOptions(b.o.Out, b.id, b.auth, "", t)
		if err != nil {
			return nil, err
		}
		c := mqtt.NewClient(o.SetCleanSession(true))
		if err := wait(c.Connect()); err != nil {
			c.Disconnect(0)
			return nil, err
		}
		b.client = c
	}
	for _, d := range docs {
		if d.topic == "" {
			continue
		}
		err := wait(b.client.Publish(d.topic, 1, false, d.body))
		if err == nil && !b.client.IsConnectionOpen() {
			err = errors.New("connection lost at the acknowledgement") // paho completes some tokens when it shuts down
		}
		if err != nil {
			b.client.Disconnect(0)
			return nil, err
		}
	}
	return nil, nil
}

// sortedKeys returns the keys of m in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
