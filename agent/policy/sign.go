package policy

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"aead.dev/minisign"
)

// Mode is the proof that a device asks for before it accepts a policy.
type Mode uint8

// The modes. In each mode an older policy is refused, and an operational
// purpose wants two signatures.
const (
	OpenMode  Mode = iota // no signature needed: for trying out, and said so in state
	Signed                // one signature by a trusted key
	TwoPerson             // as Signed, and a second key for anything looser than before
)

var modeNames = [...]string{"open", "signed", "two-person"}

// String is the mode as in site.toml.
func (m Mode) String() string { return modeNames[m] }

// ParseMode is the inverse of String.
func ParseMode(s string) (Mode, error) {
	for i, n := range modeNames {
		if n == s {
			return Mode(i), nil
		}
	}
	return 0, fmt.Errorf("mode %q: must be one of %s", s, strings.Join(modeNames[:], ", "))
}

// Trust is the device's condition for a new policy: a mode, and the public keys
// that may sign. It is part of the device, not of the policy.
type Trust struct {
	Mode Mode
	Keys []minisign.PublicKey
}

// Admit checks whether the device may run under p, and returns an error of one
// line with the reason if not. The signatures are minisign's, over p's
// canonical form. Last is the policy in force until now, nil on a new device.
// The caller stores its canonical form for the next comparison, and goes on
// under last when p is refused.
func (t Trust) Admit(p, last *Policy, signatures ...[]byte) error {
	if err := t.checkAdmission(p, last, signatures); err != nil {
		return fmt.Errorf("%s: refused: %w", p.name, err)
	}
	return nil
}

// checkAdmission checks version, purpose and signatures, in this order.
func (t Trust) checkAdmission(p, last *Policy, signatures [][]byte) error {
	if last != nil && !samePolicy(p, last) {
		switch old := last.Version(); {
		case p.Version() < old:
			return fmt.Errorf("version %d is older than version %d, which is in force", p.Version(), old)
		case p.Version() == old:
			return fmt.Errorf("it differs from version %d in force, but has the same version number", old)
		}
	}
	if p.Purpose() == demonstration && t.Mode != OpenMode {
		return errors.New("the demonstration's policy is never signed")
	}
	need, why := t.neededSigners(p, last)
	if need == 0 {
		return nil
	}
	signers, err := t.CountSigners(p.canon, signatures)
	switch {
	case err != nil:
		return err
	case len(signatures) == 0:
		return errors.New("it is not signed, and " + why)
	case signers < need:
		return errors.New("a second person must sign with another key: " + why)
	}
	return nil
}

// neededSigners is the number of people that must have signed p, and the
// reason.
func (t Trust) neededSigners(p, last *Policy) (int, string) {
	if p.Purpose() == Operational {
		return 2, "its purpose is operational"
	}
	if t.Mode == TwoPerson && last != nil {
		if looser := LooserChanges(last, p); len(looser) > 0 {
			return 2, fmt.Sprintf("it is looser than version %d: %s", last.Version(), strings.Join(looser, ", "))
		}
	}
	if t.Mode == OpenMode {
		return 0, ""
	}
	return 1, "mode " + t.Mode.String() + " wants a signature"
}

// CountSigners counts the different trusted keys that signed message. One bad signature
// is an error for all: its author wanted it to be checked.
func (t Trust) CountSigners(message []byte, signatures [][]byte) (int, error) {
	seen := map[string]bool{}
	for _, text := range signatures {
		var s minisign.Signature
		if err := s.UnmarshalText(text); err != nil {
			return 0, errors.New("a signature is not one of minisign's")
		}
		key, err := t.verifySigner(s.KeyID, message, text)
		if err != nil {
			return 0, err
		}
		seen[key] = true
	}
	return len(seen), nil
}

// verifySigner returns the trusted key that made the signature, without its ID:
// one key under two IDs is one person.
func (t Trust) verifySigner(id uint64, message, signature []byte) (string, error) {
	known := false
	for _, k := range t.Keys {
		if k.ID() != id {
			continue
		}
		if known = true; minisign.Verify(k, message, signature) {
			b, err := base64.StdEncoding.DecodeString(k.String())
			if err != nil {
				return "", err
			}
			return string(b[keyStart:]), nil
		}
	}
	if known {
		return "", fmt.Errorf("the signature by key %X does not fit: what it signed is something else", id)
	}
	return "", fmt.Errorf("it is signed by key %X, which this device does not trust", id)
}

// keyStart is the offset of the key proper in minisign's form, behind two bytes
// of algorithm and eight of ID.
const keyStart = 10
