// Package admission reads site.toml and policy.toml, decides which policy is in
// force, and writes that decision into the audit log.
//
// [Admit] compares the policy file with the one that was last in force and
// checks its signatures as the trust mode of site.toml demands. A file with
// mistakes, an older version or too few trusted signatures is refused; the
// device then runs on under the last policy. A [Journal] enters start, trust,
// admission and refusal into the audit log, and keeps the policy in force as the
// reference for the next start.
//
// It refuses to run without any policy, and to go back to an older version
// when its reference file is gone: the audit log still has the version. It
// reaches no network and starts no program.
package admission

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aead.dev/minisign"

	"kerb/agent/config"
	"kerb/agent/mistake"
	"kerb/agent/policy"
	"kerb/agent/state"
)

// Decision is the result of Admit: the policy that is in force on a device, and
// why the file that was given is not in force, if it was refused.
type Decision struct {
	Trust   policy.Trust   // mode and keys of site.toml
	Policy  *policy.Policy // in force
	Refused error          // one line: why the file is not in force; nil: it is
	OnTrial bool           // the policy is tried: the one before stays the reference

	signatures   [][]byte       // of Policy, as minisign wrote them
	previous     *policy.Policy // in force before; nil on a new device, or with referenceErr
	referenceErr error          // why the previous policy could not be read; nil: it was read
}

// String returns for people the trust mode, the number of signatures and the
// comparison with the previous policy.
func (d Decision) String() string {
	s := fmt.Sprintf("mode %s, %d signatures", d.Trust.Mode, len(d.signatures))
	if len(d.signatures) == 1 {
		s = strings.TrimSuffix(s, "s")
	}
	switch {
	case d.referenceErr != nil:
		s += "; not compared with what was in force before: " + d.referenceErr.Error()
	case d.previous == nil:
		s += "; nothing was in force before"
	case d.previous.Hash() == d.Policy.Hash():
		s += "; in force already"
	default:
		s += fmt.Sprintf("; version %d was in force before", d.previous.Version())
	}
	return s
}

// Refusal is the error of a policy that this device does not accept. It is one
// line. Commands exit with the code of a wrong file for it.
type Refusal struct{ error }

// NewRefusal makes a Refusal of err, which is one line.
func NewRefusal(err error) Refusal { return Refusal{err} }

// Unwrap returns the reason.
func (r Refusal) Unwrap() error { return r.error }

// Admit reads the policy at path, its signatures (path.minisig and
// path.2.minisig) and the policy that was last in force, and decides which of
// the two policies is in force.
//
// If the file is refused and the last policy is still trusted, that one is in
// force and Refused has the reason. Otherwise the error is that of the file: a
// Refusal, a list of mistakes (mistake.List) or a read error. A trust mode that
// is not known is an error too.
func Admit(path string, site *config.Site) (Decision, error) {
	d := Decision{Trust: policy.Trust{Keys: site.Trust.Keys}}
	var err error
	if d.Trust.Mode, err = policy.ParseMode(cmp.Or(site.Trust.Mode, policy.OpenMode.String())); err != nil {
		return d, err
	}
	var lastSignatures [][]byte
	d.previous, lastSignatures, d.referenceErr = readAdmitted(site.Device.State)
	p, signatures, err := ReadSigned(path)
	if err == nil {
		err = d.checkFile(p, signatures, site.Device.State)
	}
	if err == nil {
		d.Policy, d.signatures = p, signatures
		return d, nil
	}
	if d.previous == nil {
		return d, err
	}
	// The last policy needs trusted signatures too: a key that was taken out of
	// site.toml since then no longer counts.
	if old := d.Trust.Admit(d.previous, d.previous, lastSignatures...); old != nil {
		return d, Refusal{fmt.Errorf("%w; nor can the device go on under the last one: %w", mistake.First(err), old)}
	}
	d.Policy, d.signatures, d.Refused = d.previous, lastSignatures, mistake.First(err)
	return d, nil
}

// checkFile returns a Refusal unless the file's policy may be in force. Without
// the previous policy it compares the version with that of the last start in the
// audit log below dir.
func (d *Decision) checkFile(p *policy.Policy, signatures [][]byte, dir string) error {
	if err := d.Trust.Admit(p, d.previous, signatures...); err != nil {
		return Refusal{err}
	}
	if d.previous != nil {
		return nil
	}
	var version int64
	err := state.ActAsOwner(dir, func(dir string) (err error) {
		version, err = lastVersion(filepath.Join(dir, state.AuditDir))
		return err
	})
	if err != nil {
		d.referenceErr = errors.Join(d.referenceErr, err)
	}
	if p.Version() < version {
		return Refusal{fmt.Errorf("%s: refused: version %d is older than version %d, which was in force by the audit log", p.Name(), p.Version(), version)}
	}
	return nil
}

// SignatureSuffixes returns what follows the path of a policy in those of its signatures.
func SignatureSuffixes() []string { return []string{".minisig", ".2.minisig"} }

// ReadSigned reads the policy at path and the signature files beside it, of
// which each may be missing. It verifies none of them.
func ReadSigned(path string) (*policy.Policy, [][]byte, error) {
	p, err := policy.Load(path)
	if err != nil {
		return nil, nil, err
	}
	var signatures [][]byte
	for _, suffix := range SignatureSuffixes() {
		b, err := os.ReadFile(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the signature: %w", err)
		}
		signatures = append(signatures, b)
	}
	return p, signatures, nil
}

// The comments behind the canonical form in state.AdmittedFile: the hash, and
// each line of each signature.
const (
	hashComment      = "# "
	signatureComment = "#minisig "
	signatureLines   = 4 // minisign: untrusted comment, signature, trusted comment, global signature
)

// readAdmitted reads the policy that was last in force, with its signatures,
// from the state directory. Both are nil on a device that had none.
func readAdmitted(dir string) (*policy.Policy, [][]byte, error) {
	path := filepath.Join(dir, state.AdmittedFile)
	var data []byte
	err := state.ActAsOwner(dir, func(dir string) (err error) {
		data, err = os.ReadFile(filepath.Join(dir, state.AdmittedFile))
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the policy that was last in force: %w", err)
	}
	return parseAdmitted(path, data)
}

// parseAdmitted parses the text of state.AdmittedFile. A text that differs in
// any byte from the one that keepReference writes is an error.
func parseAdmitted(path string, data []byte) (*policy.Policy, [][]byte, error) {
	p, err := policy.Parse(path, data)
	if err != nil {
		return nil, nil, fmt.Errorf("the policy that was last in force: %w", mistake.First(err))
	}
	rest, unchanged := bytes.CutPrefix(data, append(p.Canonical(), hashComment+p.Hash()+"\n"...))
	if !unchanged {
		return nil, nil, fmt.Errorf("%s: the policy that was last in force was changed", path)
	}
	var signatures [][]byte
	n := 0
	for line := range bytes.Lines(rest) {
		line, found := bytes.CutPrefix(line, []byte(signatureComment))
		if !found {
			return nil, nil, fmt.Errorf("%s: the policy that was last in force was changed", path)
		}
		if n%signatureLines == 0 {
			signatures = append(signatures, nil)
		}
		last := len(signatures) - 1
		signatures[last] = append(signatures[last], line...)
		n++
	}
	return p, signatures, nil
}

// keepReference writes the policy in force with its signatures into the state
// directory, as the reference for the next start.
func (d Decision) keepReference(dir string) error {
	b := append(d.Policy.Canonical(), hashComment+d.Policy.Hash()+"\n"...)
	for _, s := range d.signatures {
		lines := bytes.Split(bytes.TrimRight(s, "\r\n"), []byte("\n"))
		if len(lines) != signatureLines {
			return fmt.Errorf("a signature of %d lines: minisign writes %d", len(lines), signatureLines)
		}
		for _, line := range lines {
			b = append(b, signatureComment+string(bytes.TrimRight(line, "\r"))+"\n"...)
		}
	}
	return state.Replace(filepath.Join(dir, state.AdmittedFile), b, "")
}

// SignerIDs returns the IDs of the keys that signed the policy in force, each as 16
// hexadecimal digits as minisign prints them. Admit has verified the signatures where
// the trust mode or the purpose demands one; a signature by a key that is not in
// site.toml is left out.
func (d Decision) SignerIDs() (ids []string) {
	for _, text := range d.signatures {
		var s minisign.Signature
		if s.UnmarshalText(text) != nil {
			continue
		}
		for _, k := range d.Trust.Keys {
			if k.ID() == s.KeyID && minisign.Verify(k, d.Policy.Canonical(), text) {
				ids = append(ids, fmt.Sprintf("%016X", s.KeyID))
				break
			}
		}
	}
	return ids
}
