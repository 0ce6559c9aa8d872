package want

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/state"
)

// maxStarts is the number of starts of the agent within one trial. A device whose
// current fails in a trial has some; one that ends at each start has more. Chosen by hand.
const maxStarts = 4

// Outcome says how far a message has come, in one word of the wire.
type Outcome uint8

// The outcomes.
const (
	NoOutcome Outcome = iota
	OnTrial           // it is in force, and may go back by itself
	Kept              // its trial went well
	Refused           // it never came into force
	Reverted          // it was in force and is no longer
	outcomes
)

// OutcomeWords returns the outcomes as messages name them, in the order of their
// numbers; the first is empty.
func OutcomeWords() []string { return []string{"", "trial", "kept", "refused", "reverted"} }

// String returns the word.
func (o Outcome) String() string { return OutcomeWords()[min(o, outcomes-1)] }

// Result is how the message that was examined last has ended, or stands.
type Result struct {
	Version int64   `json:"version"`
	Outcome Outcome `json:"outcome"`
	Reason  Reason  `json:"reason"`
	Line    int     `json:"line"` // of the file that has the mistake; 0: no line
}

// Record is what the device remembers of messages: state.WantRecord.
type Record struct {
	BaseSite   string `json:"base_site"`   // SHA-256 of the device's own site.toml when a message came into force over it
	BasePolicy string `json:"base_policy"` // of its own policy.toml
	Seen       int64  `json:"seen"`        // the highest version that was on trial: no older one is taken
	InForce    int64  `json:"in_force"`    // the version that was kept; 0: the device's own files
	OnTrial    int64  `json:"on_trial"`    // the version on trial; 0: none
	TrialS     int    `json:"trial_s"`     // length of that trial in seconds
	Starts     int    `json:"starts"`      // of the agent within the trial
	Delivering int    `json:"delivering"`  // sensors that delivered before the trial
	Examined   string `json:"examined"`    // SHA-256 of the bytes that were examined last
	Last       Result `json:"last"`
}

// Version returns the version whose files are in force; 0: the device's own.
func (r Record) Version() int64 {
	if r.OnTrial > 0 {
		return r.OnTrial
	}
	return r.InForce
}

// ReadRecord reads the record in the state directory dir. A device that never took a
// message has an empty one; a record that cannot be read is an error.
func ReadRecord(dir string) (r Record, err error) {
	b, err := readState(dir, state.WantRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return Record{}, fmt.Errorf("read which files the platform wants: %w", err)
	}
	return r, nil
}

// write replaces the record in dir.
func (r Record) write(dir string) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return state.Replace(filepath.Join(dir, state.WantRecord), b, "")
}

// readState reads a file of the state directory with the rights of its owner.
func readState(dir, name string) (b []byte, err error) {
	err = state.ActAsOwner(dir, func(dir string) (err error) {
		b, err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	return b, err
}

// fileName returns the name in the state directory of a file of a version: "" for the
// message, else a suffix such as "-site.toml".
func fileName(version int64, suffix string) string {
	if suffix == "" {
		suffix = ".json"
	}
	return fmt.Sprintf("%s%d%s", state.WantPrefix, version, suffix)
}

const (
	siteSuffix   = "-site.toml"
	policySuffix = "-policy.toml"
)

// Unpack writes the files of m into the state directory dir, and returns where kerb
// reads both then. own are the device's own files.
func (m *Message) Unpack(dir string, own admission.Files) (admission.Files, error) {
	files := map[string]string{}
	out := own
	if m.SiteText != "" {
		files[siteSuffix] = m.SiteText
		out.SiteText = filepath.Join(dir, fileName(m.Version, siteSuffix))
	}
	if m.PolicyText != "" {
		files[policySuffix] = m.PolicyText
		out.Policy = filepath.Join(dir, fileName(m.Version, policySuffix))
		for i, s := range signatureBytes(m.PolicySignatures) {
			files[policySuffix+admission.SignatureSuffixes()[i]] = string(s)
		}
	}
	message, err := json.Marshal(m)
	if err != nil {
		return own, err
	}
	files[""] = string(message)
	for suffix, text := range files {
		if err := state.Replace(filepath.Join(dir, fileName(m.Version, suffix)), []byte(text), ""); err != nil {
			return own, err
		}
	}
	return out, nil
}

// RemoveFiles removes from dir the files of all versions but those given.
func RemoveFiles(dir string, keep ...int64) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !strings.HasPrefix(n.Name(), state.WantPrefix) || n.Name() == state.WantReceived || isOf(n.Name(), keep) {
			continue
		}
		if rerr := os.Remove(filepath.Join(dir, n.Name())); rerr != nil {
			err = rerr
		}
	}
	return err
}

// isOf reports whether a file belongs to one of the versions.
func isOf(name string, versions []int64) bool {
	for _, v := range versions {
		stem := strings.TrimSuffix(fileName(v, ""), ".json")
		if strings.HasPrefix(name, stem+".") || strings.HasPrefix(name, stem+"-") {
			return true
		}
	}
	return false
}

// hashText returns the SHA-256 of a text as "sha256:…", "-" of an empty one.
func hashText(text string) string {
	if text == "" {
		return "-"
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
}

// hashFile returns hashText of a file, "" where it cannot be read.
func hashFile(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return hashText(string(b))
}

// resolve returns the files under which the device shall run: those of the version in
// force, or own, the device's own. A file that was changed on the device since then
// counts before that of the version. A Refusal says why the version in force does not
// count at all. base is the device's own site.toml, of which names and trusted keys count.
func (r Record) resolve(own admission.Files, base *config.Site) (admission.Files, error) {
	dir, v := base.Device.State, r.Version()
	b, err := readState(dir, fileName(v, ""))
	if err != nil {
		return own, refuse(Malformed, "version %d: %w", v, err)
	}
	m, err := Parse(b)
	if err != nil || m.Version != v {
		return own, refuse(Malformed, "version %d is not as it was stored: %v", v, err)
	}
	if err := m.checkSigners(base); err != nil {
		return own, err
	}
	files := own
	for _, f := range []struct {
		text, suffix, base, own string
		path                    *string
	}{
		{m.SiteText, siteSuffix, r.BaseSite, own.Site, &files.SiteText},
		{m.PolicyText, policySuffix, r.BasePolicy, own.Policy, &files.Policy},
	} {
		if f.text == "" || hashFile(f.own) != f.base {
			continue
		}
		name := fileName(v, f.suffix)
		if b, err := readState(dir, name); err != nil || string(b) != f.text {
			return own, refuse(NotSigned, "%s is not what was signed: %v", name, err)
		}
		*f.path = filepath.Join(dir, name)
	}
	if files == own {
		return own, refuse(ChangedByHand, "the files on the device were changed since version %d of the platform came into force, and count", v)
	}
	return files, nil
}
