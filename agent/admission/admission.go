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

	"kerb/agent/config"
	"kerb/agent/mistake"
	"kerb/agent/policy"
	"kerb/agent/state"
)

// A verdict is which policy a device runs under, and what spoke against the
// file that it was given.
type Decision struct {
	Trust      policy.Trust
	Policy     *policy.Policy // in force
	Signatures [][]byte
	last       *policy.Policy // in force before; nil on a new device
	lost       error          // why what was in force before is not known; nil if it is
	Refused    error          // one line: why the file is not in force; nil if it is
}

// String says how the policy was trusted, for people.
func (v Decision) String() string {
	s := fmt.Sprintf("mode %s, %d signatures", v.Trust.Mode, len(v.Signatures))
	if len(v.Signatures) == 1 {
		s = strings.TrimSuffix(s, "s")
	}
	switch {
	case v.lost != nil:
		s += "; not compared with what was in force before: " + v.lost.Error()
	case v.last == nil:
		s += "; nothing was in force before"
	case v.last.Hash() == v.Policy.Hash():
		s += "; in force already"
	default:
		s += fmt.Sprintf("; version %d was in force before", v.last.Version())
	}
	return s
}

// refusal is a policy that this device does not take. It is one line.
type Refusal struct{ error }

func (r Refusal) Unwrap() error { return r.error }

// judge reads the policy and its signatures and decides which one is in force.
// The error is the file's when there is no earlier policy to go on under.
func Admit(path string, site *config.Site) (Decision, error) {
	v := Decision{Trust: policy.Trust{Keys: site.Trust.Keys}}
	var err error
	if v.Trust.Mode, err = policy.ParseMode(cmp.Or(site.Trust.Mode, policy.OpenMode.String())); err != nil {
		return v, err
	}
	var lastSignatures [][]byte
	v.last, lastSignatures, v.lost = readAdmitted(site.Device.State)
	p, signatures, err := readCandidate(path)
	if err == nil {
		err = v.checkFile(p, signatures, site.Device.State)
	}
	if err == nil {
		v.Policy, v.Signatures = p, signatures
		return v, nil
	}
	if v.last == nil {
		return v, err
	}
	// A key that is trusted no longer vouches for nothing.
	if old := v.Trust.Admit(v.last, v.last, lastSignatures...); old != nil {
		return v, Refusal{fmt.Errorf("%w; nor can the device go on under the last one: %w", mistake.First(err), old)}
	}
	v.Policy, v.Signatures, v.Refused = v.last, lastSignatures, mistake.First(err)
	return v, nil
}

// checkFile decides about the file's policy. Where the reference was lost, the
// audit log still knows which version was in force.
func (v *Decision) checkFile(p *policy.Policy, signatures [][]byte, dir string) error {
	if err := v.Trust.Admit(p, v.last, signatures...); err != nil {
		return Refusal{err}
	}
	if v.last != nil {
		return nil
	}
	version, err := lastVersion(filepath.Join(dir, state.AuditDir))
	if err != nil {
		v.lost = errors.Join(v.lost, err)
	}
	if p.Version() < version {
		return Refusal{fmt.Errorf("%s: refused: version %d is older than version %d, which was in force by the audit log", p.Name(), p.Version(), version)}
	}
	return nil
}

// readCandidate is the policy at path with the signatures that lie beside it.
func readCandidate(path string) (*policy.Policy, [][]byte, error) {
	p, err := policy.Load(path)
	if err != nil {
		return nil, nil, err
	}
	var signatures [][]byte
	for _, end := range []string{".minisig", ".2.minisig"} {
		b, err := os.ReadFile(path + end)
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

// The comments behind the canonical form: the hash, and each line of each
// signature.
const (
	hashComment      = "# "
	signatureComment = "#minisig "
	signatureLines   = 4
)

// admitted is the policy that was last in force with its signatures, or nil on
// a device that had none.
func readAdmitted(dir string) (*policy.Policy, [][]byte, error) {
	path := filepath.Join(dir, state.AdmittedFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the policy that was last in force: %w", err)
	}
	return parseAdmitted(path, data)
}

func parseAdmitted(path string, data []byte) (*policy.Policy, [][]byte, error) {
	p, err := policy.Parse(path, data)
	if err != nil {
		return nil, nil, fmt.Errorf("the policy that was last in force: %w", mistake.First(err))
	}
	rest, whole := bytes.CutPrefix(data, append(p.Canonical(), hashComment+p.Hash()+"\n"...))
	if !whole {
		return nil, nil, fmt.Errorf("%s: the policy that was last in force was changed", path)
	}
	var signatures [][]byte
	n := 0
	for line := range bytes.Lines(rest) {
		line, ours := bytes.CutPrefix(line, []byte(signatureComment))
		if !ours {
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

// remember makes the policy in force the reference for the next start.
func (v Decision) keepReference(dir string) error {
	b := append(v.Policy.Canonical(), hashComment+v.Policy.Hash()+"\n"...)
	for _, s := range v.Signatures {
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

func NewRefusal(err error) Refusal { return Refusal{err} }
