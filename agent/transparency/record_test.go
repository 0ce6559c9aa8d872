package transparency_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"

	"kerb/agent/audit"
	"kerb/agent/policy"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/agent/transparency"
	"kerb/agent/transparency/recordtest"
)

func TestARecordIsOfItsSchemaAndComesBackAsItWas(t *testing.T) {
	s := compile(t, transparency.RecordSchema())
	for name, o := range map[string]recordtest.Options{"without answers": {}, "with answers": {Answers: recordtest.Answers}} {
		r := recordtest.Make(t, o)
		b, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		back, err := transparency.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := back.JSON()
		if err != nil || !bytes.Equal(b, again) {
			t.Errorf("%s: it does not come back as it was: %v", name, err)
		}
		if _, err := transparency.Parse(append(b, b...)); err == nil {
			t.Error("two records in one file: taken")
		}
	}
}

func TestEveryFactHasItsOriginAndSource(t *testing.T) {
	for _, e := range recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers}).Entries() {
		want := transparency.Enforced
		if strings.HasPrefix(e.Path, "declared.") {
			want = transparency.Stated
		}
		if e.Origin != want || e.Source == "" || e.Label == "" {
			t.Errorf("%+v", e)
		}
		if strings.Contains(e.Source, string(os.PathSeparator)+"tmp") {
			t.Errorf("%s: its source names a folder of this machine: %s", e.Path, e.Source)
		}
	}
}

// No declared value is ever filled by kerb, whatever the device and its policy say.
func TestWithoutAnswersEveryDeclaredValueIsNotProvided(t *testing.T) {
	r := recordtest.Make(t, recordtest.Options{})
	if len(r.Declared) != len(transparency.Questions()) {
		t.Errorf("%d of %d questions in the record", len(r.Declared), len(transparency.Questions()))
	}
	for key, f := range r.Declared {
		if f.Value != transparency.NotProvided || f.Origin != transparency.Stated {
			t.Errorf("%s: %+v", key, f)
		}
		if a, ok := r.Answer(key); ok || a != "" {
			t.Errorf("%s is answered by %q", key, a)
		}
	}
	// The control: answers are found.
	r = recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers})
	for _, q := range transparency.Questions() {
		if _, ok := r.Answer(q.Key); !ok {
			t.Errorf("%s has an answer in the file and none in the record", q.Key)
		}
	}
}

func TestSignersAuditSpoolAndTalliesAreReadFromTheDevice(t *testing.T) {
	public, key, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	site := recordtest.Site + "[trust]\nmode = \"signed\"\nkeys = [\"" + public.String() + "\"]\n"
	p, err := policy.Parse("policy.toml", []byte(recordtest.Policy))
	if err != nil {
		t.Fatal(err)
	}
	r := recordtest.Make(t, recordtest.Options{Site: site, State: func(dir string) {
		fillState(t, dir, p)
		signed := filepath.Join(filepath.Dir(dir), "policy.toml.minisig")
		if err := os.WriteFile(signed, minisign.Sign(key, p.Canonical()), 0o600); err != nil {
			t.Fatal(err)
		}
	}})
	if ids := r.Policy.Signers.Value; len(ids) != 1 || len(ids[0]) != 16 {
		t.Errorf("signers: %v", ids)
	}
	if a := r.Audit.Value; a.Seq != 1 || !a.Whole || len(a.Sum) != 64 || r.Policy.Since.Value == "" {
		t.Errorf("audit: %+v, since %q", a, r.Policy.Since.Value)
	}
	if h := r.Held.Value; h.Windows != 6 || h.Pending != 4 || h.Unread != "" {
		t.Errorf("held: %+v", h)
	}
	if a := r.Acceptance.Value; len(a) != 1 || a[0].Stream != "path" {
		t.Errorf("tallies: %+v", a)
	}
	// The control: an empty state directory says so.
	r = recordtest.Make(t, recordtest.Options{})
	if r.Audit.Value.Seq != 0 || r.Audit.Value.Whole || r.Held.Value != (transparency.Held{}) || len(r.Acceptance.Value) != 0 {
		t.Errorf("nothing ran here: %+v %+v", r.Audit, r.Held)
	}
}

// fillState makes a spool, an audit log and a tally by hand, with the real writers.
func fillState(t *testing.T, dir string, p *policy.Policy) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(filepath.Join(dir, state.SpoolFile), store.WallClock(func() time.Time { return storetest.FirstStart }))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		es, err := db.Append(storetest.MakeWindows(storetest.StreamNames(2), i))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := db.AckWindows(es); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(filepath.Join(dir, state.AuditDir), func() (time.Time, bool) { return time.Unix(1_800_000_000, 0), true })
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append("policy_admitted", map[string]any{"policy": p.Hash()}); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	tally := `[{"stream":"path","day":"2026-11-29","minutes":15,"passages":40,"error":0.05,"low":-0.1,"high":0.2,"geh":1,"verdict":"good"}]`
	if err := os.WriteFile(filepath.Join(dir, state.AcceptanceFile), []byte(tally), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The record says how long a number stays that was not delivered. This test holds the
// sentence in collect.go against the store.
func TestTheRecordSaysWhatTheStoreDoesWithoutABroker(t *testing.T) {
	at := storetest.FirstStart
	db, err := store.Open(filepath.Join(t.TempDir(), "spool"), store.KeepFor(time.Hour), store.WallClock(func() time.Time { return at }))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Append(storetest.MakeWindows(storetest.StreamNames(1), 0)); err != nil {
		t.Fatal(err)
	}
	at = at.Add(30 * 24 * time.Hour)
	if _, err := db.Append(storetest.MakeWindows(storetest.StreamNames(1), 1)); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := db.EachWindow(func(store.Item) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	stays := n > 1 // the second window is as old as the first, and goes with it
	says := recordtest.Make(t, recordtest.Options{}).Retention.Undelivered.Value
	if stays || !strings.HasPrefix(says, "no longer than one that was delivered") {
		t.Errorf("after 30 days under a retention of 1 h an undelivered window is still there: %t; the record says: %s", stays, says)
	}
}

func TestWarningsFollowFromTheRecord(t *testing.T) {
	has := func(r *transparency.Record, id, class string) bool {
		return slices.ContainsFunc(r.Warnings.Value, func(w transparency.Warning) bool { return w.ID == id && w.Class == class && w.Text != "" })
	}
	r := recordtest.Make(t, recordtest.Options{})
	if !has(r, transparency.WarnWeak, "bicycle") || !has(r, transparency.WarnWeak, "person") || !has(r, transparency.WarnLimit, "") {
		t.Errorf("%+v", r.Warnings.Value)
	}
	if has(r, transparency.WarnAIAct, "") || has(r, transparency.WarnWalls, "") || has(r, transparency.WarnController, "") || has(r, transparency.WarnDecoder, "") {
		t.Errorf("%+v", r.Warnings.Value)
	}
	motion := recordtest.Replace(t, recordtest.Site, "name = \"north\"", "name = \"north\"\ndetector = \"motion\"")
	if r := recordtest.Make(t, recordtest.Options{Site: motion}); has(r, transparency.WarnWeak, "bicycle") {
		t.Error("a warning of a network that is not used")
	}
	rtsp := recordtest.Replace(t, recordtest.Site, "http://camera.example.org/video", "rtsp://camera.example.org/video")
	if r := recordtest.Make(t, recordtest.Options{Site: rtsp}); has(r, transparency.WarnDecoder, "") {
		t.Error("a warning of a decoder that is not used")
	}
	ffmpeg := recordtest.Replace(t, rtsp, "name = \"north\"", "name = \"north\"\ndecoder = \"ffmpeg\"")
	if r := recordtest.Make(t, recordtest.Options{Site: ffmpeg}); !has(r, transparency.WarnDecoder, "") {
		t.Error("no warning of a decoder without measured walls")
	}
	scene := recordtest.Replace(t, recordtest.Replace(t, recordtest.Site, "http://camera.example.org/video", "scene:busy"), "mqtts://broker.example.org:8883", "mqtt://127.0.0.1:1883")
	if r := recordtest.Make(t, recordtest.Options{Site: scene}); !has(r, transparency.WarnMadeUp, "") {
		t.Error("no warning of a street that is made up")
	}
	open := recordtest.Make(t, recordtest.Options{Change: func(in *transparency.Inputs) { in.Walls[0].Walls[0].Holds = false }})
	if !has(open, transparency.WarnWalls, "") {
		t.Error("no warning of an open wall")
	}
	if r := recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers}); !has(r, transparency.WarnController, "") {
		t.Error("no warning of two controllers")
	}
}

// An operational policy needs two signatures, and raises the question of the AI Act unless
// the controller says that no signal is steered.
func TestAnOperationalPurposeAsksTheQuestionOfTheAIAct(t *testing.T) {
	operational := recordtest.Replace(t, recordtest.Policy, `"statistical"`, `"operational"`)
	p, err := policy.Parse("policy.toml", []byte(operational))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	var signatures [][]byte
	for range 2 {
		public, key, err := minisign.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, `"`+public.String()+`"`)
		signatures = append(signatures, minisign.Sign(key, p.Canonical()))
	}
	site := recordtest.Site + "[trust]\nmode = \"signed\"\nkeys = [" + strings.Join(keys, ", ") + "]\n"
	for answers, want := range map[string]bool{
		"": true, "schema = \"kerb.declared/1\"\npurpose.signals = true\n": true, "schema = \"kerb.declared/1\"\npurpose.signals = false\n": false,
	} {
		r := recordtest.Make(t, recordtest.Options{Site: site, Policy: operational, Answers: answers, State: func(dir string) {
			for i, suffix := range []string{".minisig", ".2.minisig"} {
				if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "policy.toml"+suffix), signatures[i], 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}})
		asked := slices.ContainsFunc(r.Warnings.Value, func(w transparency.Warning) bool {
			return w.ID == transparency.WarnAIAct && strings.Contains(w.Text, "Annex III")
		})
		if asked != want {
			t.Errorf("%q: asked: %t", answers, asked)
		}
	}
}
