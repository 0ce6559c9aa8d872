package main

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
	"kerb/agent/policy"
)

// admittedFile holds the policy that was last in force: the reference against
// which an older or looser one is told, and what the device goes on under when
// a new one is refused. It is the canonical form, followed by its signatures
// as comments, so that one rename replaces all of it.
const admittedFile = "policy-admitted.toml"

// A verdict is which policy a device runs under, and what spoke against the
// file that it was given.
type verdict struct {
	trust      policy.Trust
	policy     *policy.Policy // in force
	signatures [][]byte
	last       *policy.Policy // in force before; nil on a new device
	lost       error          // why what was in force before is not known; nil if it is
	refused    error          // one line: why the file is not in force; nil if it is
}

// String says how the policy was trusted, for people.
func (v verdict) String() string {
	s := fmt.Sprintf("mode %s, %d signatures", v.trust.Mode, len(v.signatures))
	if len(v.signatures) == 1 {
		s = strings.TrimSuffix(s, "s")
	}
	switch {
	case v.lost != nil:
		s += "; not compared with what was in force before: " + v.lost.Error()
	case v.last == nil:
		s += "; nothing was in force before"
	case v.last.Hash() == v.policy.Hash():
		s += "; in force already"
	default:
		s += fmt.Sprintf("; version %d was in force before", v.last.Version())
	}
	return s
}

// refusal is a policy that this device does not take. It is one line.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// judge reads the policy and its signatures and decides which one is in force.
// The error is the file's when there is no earlier policy to go on under.
func judge(path string, site *config.Site) (verdict, error) {
	v := verdict{trust: policy.Trust{Keys: site.Trust.Keys}}
	var err error
	if v.trust.Mode, err = policy.ParseMode(cmp.Or(site.Trust.Mode, policy.OpenMode.String())); err != nil {
		return v, err
	}
	var lastSignatures [][]byte
	v.last, lastSignatures, v.lost = admitted(site.Device.State)
	p, signatures, err := candidate(path)
	if err == nil {
		err = v.admit(p, signatures, site.Device.State)
	}
	if err == nil {
		v.policy, v.signatures = p, signatures
		return v, nil
	}
	if v.last == nil {
		return v, err
	}
	// A key that is trusted no longer vouches for nothing.
	if old := v.trust.Admit(v.last, v.last, lastSignatures...); old != nil {
		return v, refusal{fmt.Errorf("%w; nor can the device go on under the last one: %w", oneLine(err), old)}
	}
	v.policy, v.signatures, v.refused = v.last, lastSignatures, oneLine(err)
	return v, nil
}

// admit decides about the file's policy. Where the reference was lost, the
// audit log still knows which version was in force.
func (v *verdict) admit(p *policy.Policy, signatures [][]byte, state string) error {
	if err := v.trust.Admit(p, v.last, signatures...); err != nil {
		return refusal{err}
	}
	if v.last != nil {
		return nil
	}
	version, err := lastVersion(filepath.Join(state, auditDir))
	if err != nil {
		v.lost = errors.Join(v.lost, err)
	}
	if p.Version() < version {
		return refusal{fmt.Errorf("%s: refused: version %d is older than version %d, which was in force by the audit log", p.Name(), p.Version(), version)}
	}
	return nil
}

// candidate is the policy at path with the signatures that lie beside it.
func candidate(path string) (*policy.Policy, [][]byte, error) {
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

// oneLine is the first mistake of a file that has several.
func oneLine(err error) error {
	first, more, many := strings.Cut(err.Error(), "\n")
	if n := 1 + strings.Count(more, "\n") - strings.Count(more, "hint: "); many && n > 0 {
		first += fmt.Sprintf(" (and %d more)", n)
	}
	return errors.New(first)
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
func admitted(state string) (*policy.Policy, [][]byte, error) {
	path := filepath.Join(state, admittedFile)
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
		return nil, nil, fmt.Errorf("the policy that was last in force: %w", oneLine(err))
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
func (v verdict) remember(state string) error {
	b := append(v.policy.Canonical(), hashComment+v.policy.Hash()+"\n"...)
	for _, s := range v.signatures {
		lines := bytes.Split(bytes.TrimRight(s, "\r\n"), []byte("\n"))
		if len(lines) != signatureLines {
			return fmt.Errorf("a signature of %d lines: minisign writes %d", len(lines), signatureLines)
		}
		for _, line := range lines {
			b = append(b, signatureComment+string(bytes.TrimRight(line, "\r"))+"\n"...)
		}
	}
	return replaceFile(filepath.Join(state, admittedFile), b)
}

// replaceFile puts data in the place of a file at once: after a power cut the
// old one is there, or the new one, and whole.
func replaceFile(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes what was renamed or removed in a directory stay so.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
