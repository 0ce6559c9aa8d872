package proof

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"kerb/agent/ipc"
	"kerb/configs"
)

// CanaryResult is the result of the search for the mark.
type CanaryResult struct {
	Pictures uint64    `json:"pictures"` // pictures that the camera sent
	Controls []Finding `json:"controls"` // places where the mark must be found
	Places   []Finding `json:"places"`   // places where it must not
}

// ListFaults lists the controls without a mark and the places with one.
func (c CanaryResult) ListFaults() (faults []string) {
	for _, p := range c.Controls {
		if len(p.Found) == 0 && p.Refused == "" {
			faults = append(faults, "control: the mark is not found in "+p.Place)
		}
	}
	for _, p := range c.Places {
		if len(p.Found) > 0 {
			faults = append(faults, fmt.Sprintf("canary: in %s: %s", p.Place, strings.Join(p.Found, ", ")))
		}
	}
	return faults
}

// SearchMark searches the files, the output and the messages of the trial, and plants
// the controls. It returns these findings together with those that Run made in the
// memory of the processes.
func (t *Trial) SearchMark() (CanaryResult, error) {
	c := CanaryResult{Pictures: uint64(t.shown.Load())}
	planted, err := t.plantControls()
	if err != nil {
		return c, err
	}
	c.Controls = planted
	for _, p := range t.places {
		if p.isControl() {
			c.Controls = append(c.Controls, p)
		} else {
			c.Places = append(c.Places, p)
		}
	}
	for _, where := range []struct{ name, dir, skip string }{
		{"state directory", t.filePath("state"), ""},
		{"working directory and cores", t.dir, t.filePath("state")},
		{"temporary directory", os.TempDir(), t.dir},
		{"/dev/shm", "/dev/shm", ""},
		{"journal and logs", "/var/log", ""},
		{"journal in memory", "/run/log", ""},
	} {
		if _, err := os.Stat(where.dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		p, err := t.searchFiles(where.name, where.dir, t.start, where.skip)
		if err != nil {
			p.Refused = err.Error()
		}
		c.Places = append(c.Places, p)
	}
	output := Finding{Place: "what kerb run said", Found: []string{}}
	output.searchBytes(t.mark, t.Output.Bytes())
	wire := Finding{Place: "what the broker got", Found: []string{}}
	for _, m := range t.wiretap.copyMessages() {
		wire.searchBytes(t.mark, append([]byte(m.topic), m.payload...))
	}
	c.Places = append(c.Places, output, wire)
	return c, nil
}

// isControl reports whether the mark must be found in p: in the memory of a process that
// sees pictures.
func (p Finding) isControl() bool {
	for _, m := range memories {
		if m.sees && m.place == p.Place {
			return true
		}
	}
	return false
}

// markedLine is the length of the start of a picture that holds the bytes of the mark.
const markedLine = 64

// plantControls writes a marked picture into the trial's directory in each of the forms
// that the search knows, searches for it, and removes it.
func (t *Trial) plantControls() (controls []Finding, err error) {
	jpeg, err := t.mark.EncodeJPEG(0)
	if err != nil {
		return nil, err
	}
	pixels := t.mark.LumaPixels(0)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err = z.Write(pixels)
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	dir := t.filePath("leak")
	for name, b := range map[string][]byte{
		"JPEG": jpeg, "pixels": pixels, "pixels in gzip": zipped.Bytes(),
		"JPEG in base64": []byte(base64.StdEncoding.EncodeToString(jpeg)), "JPEG in hex": []byte(hex.EncodeToString(jpeg)),
		"JPEG in a log line": fmt.Appendf(nil, "level=WARN err=%q\n", fmt.Sprintf("malformed line %q", jpeg[:markedLine])),
	} {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "leak"), b, 0o600)); err != nil {
			return nil, err
		}
		p, err := t.searchFiles("planted leak: "+name, dir, t.start, "")
		if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
			return nil, err
		}
		controls = append(controls, p)
	}
	slices.SortFunc(controls, func(a, b Finding) int { return strings.Compare(a.Place, b.Place) })
	return controls, nil
}

// CheckPipes returns a fault if kerb run ended a child because it wrote something that
// is no ipc record.
func (t *Trial) CheckPipes() []string {
	if bytes.Contains(t.Output.Bytes(), []byte(ipc.ErrForeign.Error())) {
		return []string{"pipe: a process said something else than numbers, and was ended"}
	}
	return nil
}

// WireResult counts the messages that the broker received, by topic.
type WireResult struct {
	Messages int            `json:"messages"`
	Windows  int            `json:"windows"`
	Topics   map[string]int `json:"topics"`
	Faults   []string       `json:"faults"`
}

// CheckWire compares every message with the schema of its topic. A key that the schema
// does not declare is a fault, and so is a trial without a window.
func (t *Trial) CheckWire() WireResult {
	w := WireResult{Topics: map[string]int{}, Faults: []string{}}
	for _, m := range t.wiretap.copyMessages() {
		w.Messages++
		w.Topics[m.topic]++
		if err := checkDeclared(m); err != nil {
			w.Faults = append(w.Faults, fmt.Sprintf("wire: %s: %v", m.topic, err))
		}
		if strings.Contains(m.topic, "/count/") && !isTopicProof(m) {
			w.Windows++
		}
	}
	if w.Windows == 0 {
		w.Faults = append(w.Faults, "wire: no window left: nothing is shown by those that did not")
	}
	return w
}

// checkDeclared returns an error for a message on a foreign topic, or one with a key
// that the schema does not declare.
func checkDeclared(m message) error {
	levels := strings.Split(m.topic, "/")
	if len(levels) < 6 || levels[0] != "kerb" || levels[1] != "v1" {
		return errors.New("not a topic of kerb")
	}
	name := levels[5]
	if isTopicProof(m) {
		name = "proof"
	}
	b, err := configs.ReadSchema(name)
	if err != nil {
		return fmt.Errorf("no schema for %s", name)
	}
	var schema map[string]any
	if err := json.Unmarshal(b, &schema); err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal(m.payload, &value); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return checkKeys(schema, schema, value, "")
}

// isTopicProof reports whether a message only proves that the broker passes its topic
// on. Such messages are on every topic of the device, under a schema of their own.
func isTopicProof(m message) bool {
	var head struct{ Schema string }
	return json.Unmarshal(m.payload, &head) == nil && head.Schema == "kerb.proof/1"
}

// checkKeys walks a value along its schema, and returns the path of the first key that
// is not declared. It accepts objects without declared properties, such as the data of
// events; the search for the mark covers these, too.
func checkKeys(root, schema map[string]any, value any, at string) error {
	if ref, ok := schema["$ref"].(string); ok {
		root, schema = resolveRef(root, ref)
	}
	switch v := value.(type) {
	case map[string]any:
		properties, named := schema["properties"].(map[string]any)
		others, alike := schema["additionalProperties"].(map[string]any)
		if !named && !alike {
			return nil
		}
		for k, inner := range v {
			sub, ok := properties[k].(map[string]any)
			switch {
			case ok:
			case alike:
				sub = others
			default:
				return fmt.Errorf("%s.%s is not declared", at, k)
			}
			if err := checkKeys(root, sub, inner, at+"."+k); err != nil {
				return err
			}
		}
	case []any:
		items, ok := schema["items"].(map[string]any)
		if !ok {
			return nil
		}
		for _, inner := range v {
			if err := checkKeys(root, items, inner, at+"[]"); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolveRef follows a reference into the same document (#/…) or to another schema file,
// and returns the document and the schema referred to; an empty one where there is none.
func resolveRef(root map[string]any, ref string) (document, schema map[string]any) {
	file, path, _ := strings.Cut(ref, "#")
	if name, other := strings.CutSuffix(file, ".schema.json"); other {
		b, err := configs.ReadSchema(name)
		root = map[string]any{}
		if err != nil || json.Unmarshal(b, &root) != nil {
			return root, root
		}
	}
	at := root
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		next, ok := at[step].(map[string]any)
		if !ok {
			return root, map[string]any{}
		}
		at = next
	}
	return root, at
}

// wiretap is a hook of the trial's broker that keeps every published message.
type wiretap struct {
	mochi.HookBase
	mu  sync.Mutex
	all []message
}

// message is one published message.
type message struct {
	topic   string
	payload []byte
}

// ID returns the name of the hook.
func (*wiretap) ID() string { return "wiretap" }

// Provides reports whether the hook handles the event b.
func (*wiretap) Provides(b byte) bool { return b == mochi.OnPublish }

// OnPublish keeps a copy of the message and passes it on unchanged.
func (w *wiretap) OnPublish(_ *mochi.Client, p packets.Packet) (packets.Packet, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, message{p.TopicName, bytes.Clone(p.Payload)})
	return p, nil
}

// copyMessages returns the messages so far.
func (w *wiretap) copyMessages() []message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}
