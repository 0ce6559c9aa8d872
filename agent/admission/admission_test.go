package admission

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/policy/policytest"
	"kerb/agent/state"
)

// keyPair is the minisign key pair of one person.
type keyPair struct {
	public  minisign.PublicKey
	private minisign.PrivateKey
}

func newKeyPair(t testing.TB) keyPair {
	t.Helper()
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{public, private}
}

// bench is a device: its site file, and the path of its policy file.
type bench struct {
	t    *testing.T
	site *config.Site
	file string
}

func newBench(t *testing.T, mode string, trusted ...keyPair) bench {
	t.Helper()
	p := bench{t: t, file: filepath.Join(t.TempDir(), "policy.toml"), site: &config.Site{
		Device: config.Device{Tenant: "kerb", Site: "test", Name: "pi-1", State: filepath.Join(t.TempDir(), "state")},
		Trust:  config.Trust{Mode: mode},
	}}
	for _, who := range trusted {
		p.site.Trust.Keys = append(p.site.Trust.Keys, who.public)
	}
	return p
}

func policyText(n, epsilon string) string {
	return strings.NewReplacer("version = 1", "version = "+n, "epsilon = 1", "epsilon = "+epsilon).Replace(policytest.Daytime)
}

// writePolicy writes the policy file and the signature files of the signers.
func (p bench) writePolicy(text string, signers ...keyPair) {
	p.t.Helper()
	files := map[string][]byte{"": []byte(text), ".minisig": nil, ".2.minisig": nil}
	for i, who := range signers {
		canonical := policytest.Parse(p.t, text).Canonical()
		files[[]string{".minisig", ".2.minisig"}[i]] = minisign.Sign(who.private, canonical)
	}
	for end, b := range files {
		if b == nil {
			_ = os.Remove(p.file + end)
			continue
		}
		if err := os.WriteFile(p.file+end, b, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// start does what kerb run does before it counts.
func (p bench) start() (Decision, *Journal, error) {
	p.t.Helper()
	v, err := Admit(p.file, p.site)
	if err != nil {
		return v, nil, err
	}
	b, err := OpenJournal(p.site, v, "test", clock.Clock{Floor: time.Unix(0, 0)}, slog.New(slog.DiscardHandler))
	if err != nil {
		p.t.Fatal(err)
	}
	return v, b, nil
}

// wantInForce starts and stops the device, and fails unless this version is in
// force and the refusal has that text.
func (p bench) wantInForce(version int64, refused string) {
	p.t.Helper()
	v, b, err := p.start()
	if err != nil {
		p.t.Errorf("%v, want version %d in force", err, version)
		return
	}
	defer b.Close()
	if v.Policy.Version() != version || refused == "" && v.Refused != nil ||
		refused != "" && (v.Refused == nil || !strings.Contains(v.Refused.Error(), refused) || strings.Contains(v.Refused.Error(), "\n")) {
		p.t.Errorf("version %d in force, refused: %v; want version %d and %q", v.Policy.Version(), v.Refused, version, refused)
	}
}

// wantError fails unless the start ends with a one-line error that has this text.
func (p bench) wantError(want string) {
	p.t.Helper()
	_, b, err := p.start()
	if err == nil {
		b.Close()
	}
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		p.t.Errorf("%v, want one line with %q", err, want)
	}
}

func TestADeviceRunsOnUnderTheLastPolicyThatItAdmitted(t *testing.T) {
	anna, bert, eve := newKeyPair(t), newKeyPair(t), newKeyPair(t)
	p := newBench(t, "two-person", anna, bert)
	p.writePolicy(policyText("2", "1"))
	p.wantError("it is not signed")
	p.writePolicy(policyText("2", "1"), anna)
	p.wantInForce(2, "")
	p.writePolicy(policyText("1", "1"), anna)
	p.wantInForce(2, "version 1 is older than version 2")
	p.writePolicy(policyText("3", "2"), anna)
	p.wantInForce(2, "a second person must sign")
	p.writePolicy(policyText("3", "2"), anna, eve)
	p.wantInForce(2, "does not trust")
	p.writePolicy(policyText("3", "0.5"), bert)
	p.wantInForce(3, "")
	p.writePolicy(policyText("4", "99"))
	p.wantInForce(3, "clear.epsilon")
	if err := os.Remove(p.file); err != nil {
		t.Fatal(err)
	}
	p.wantInForce(3, "no such file")
}

func TestALastPolicyNeedsAKeyThatIsStillTrusted(t *testing.T) {
	anna, bert := newKeyPair(t), newKeyPair(t)
	p := newBench(t, "signed", anna)
	p.writePolicy(policyText("2", "1"), anna)
	p.wantInForce(2, "")
	p.site.Trust.Keys = []minisign.PublicKey{bert.public}
	p.wantError("nor can the device go on under the last one")
	// A new policy is still compared with the last one.
	p.writePolicy(policyText("1", "1"), bert)
	p.wantError("version 1 is older than version 2")
	p.writePolicy(policyText("2", "1"), bert)
	p.wantInForce(2, "")
}

// The audit log still has the version when the reference file is removed.
func TestWithoutItsReferenceADeviceStillKnowsTheVersion(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"gone": os.Remove,
		"torn": func(path string) error { return os.Truncate(path, 300) },
		"changed": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, bytes.Replace(b, []byte("epsilon = 1"), []byte("epsilon = 2"), 1), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newBench(t, "open")
			p.writePolicy(policyText("2", "1"))
			p.wantInForce(2, "")
			if err := harm(filepath.Join(p.site.Device.State, state.AdmittedFile)); err != nil {
				t.Fatal(err)
			}
			p.writePolicy(policyText("1", "1"))
			p.wantError("version 1 is older than version 2, which was in force by the audit log")
			p.writePolicy(policyText("2", "1"))
			p.wantInForce(2, "")
		})
	}
}

func TestAKeptReferenceIsReadBack(t *testing.T) {
	anna, bert := newKeyPair(t), newKeyPair(t)
	dir := t.TempDir()
	p := policytest.Parse(t, policytest.Daytime)
	for _, signatures := range [][][]byte{nil, {minisign.Sign(anna.private, p.Canonical())}, {
		minisign.SignWithComments(anna.private, p.Canonical(), "first", "anna"),
		bytes.ReplaceAll(minisign.Sign(bert.private, p.Canonical()), []byte("\n"), []byte("\r\n")),
	}} {
		if err := (Decision{Policy: p, signatures: signatures}).keepReference(dir); err != nil {
			t.Fatal(err)
		}
		q, back, err := readAdmitted(dir)
		if err != nil || q.Hash() != p.Hash() || len(back) != len(signatures) {
			t.Fatalf("%d of %d signatures, %v", len(back), len(signatures), err)
		}
		trust := policy.Trust{Mode: policy.Signed, Keys: []minisign.PublicKey{anna.public, bert.public}}
		if err := trust.Admit(q, q, back...); err != nil && len(signatures) > 0 {
			t.Error(err)
		}
	}
}

func TestAnAuditLogThatCannotBeWrittenStopsNothing(t *testing.T) {
	p := newBench(t, "open")
	p.writePolicy(policyText("1", "1"))
	if err := os.MkdirAll(p.site.Device.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.site.Device.State, state.AuditDir), nil, 0o600); err != nil { // where a directory should be
		t.Fatal(err)
	}
	v, b, err := p.start()
	if err != nil || v.Policy.Version() != 1 || b.StateReport()["policy"] == nil || b.StateReport()["audit"] != nil {
		t.Fatalf("%v %v", b, err)
	}
	b.WriteEntry("clock_step", nil)
	b.Close()
}

// FuzzAdmitted: parseAdmitted accepts only the text that keepReference writes,
// whatever the file in the state directory holds.
func FuzzAdmitted(f *testing.F) {
	p, err := policy.Parse("policy.toml", []byte(policytest.Daytime))
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	anna := newKeyPair(f)
	if err := (Decision{Policy: p, signatures: [][]byte{minisign.Sign(anna.private, p.Canonical())}}).keepReference(dir); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, state.AdmittedFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(p.Canonical())
	f.Add([]byte(policytest.Daytime))
	f.Fuzz(func(t *testing.T, data []byte) {
		q, signatures, err := parseAdmitted(state.AdmittedFile, data)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(data, append(q.Canonical(), hashComment+q.Hash()...)) || len(signatures) > len(data)/8 {
			t.Fatalf("taken:\n%s", data)
		}
	})
}
