package want

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"aead.dev/minisign"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/mistake"
	"kerb/agent/policy"
	"kerb/agent/state"
)

// device is the device that examines a message.
type device struct {
	own    admission.Files // the files that an engineer wrote
	base   *config.Site    // own.Site
	policy *policy.Policy  // in force
	record Record
	load   LoadFunc
}

// examine is Examine for the message b. The error is a Refusal, or that of writing.
func (d device) examine(b []byte) (*Message, error) {
	m, err := Parse(b)
	if err != nil {
		return m, refuse(Malformed, "%w", err)
	}
	if err := d.checkMessage(m); err != nil {
		return m, err
	}
	files, err := m.Unpack(d.base.Device.State, d.own)
	if err == nil {
		err = d.checkFiles(m, files)
	}
	if err != nil {
		err = errors.Join(err, RemoveFiles(d.base.Device.State, d.record.InForce, d.record.OnTrial))
	}
	return m, err
}

// checkMessage checks the address, the version, the permission and the signatures.
func (d device) checkMessage(m *Message) error {
	own := d.base.Device
	switch {
	case m.Address() != own.Tenant+"/"+own.Site+"/"+own.Name:
		return refuse(OtherDevice, "it is for %s", m.Address())
	case m.Version <= d.record.Seen:
		return refuse(OldVersion, "version %d is not above version %d, which was here before", m.Version, d.record.Seen)
	case !d.policy.AllowsCommand(string(policy.Want)):
		return refuse(NotAllowed, `the policy in force does not have the command "want" in broker.commands`)
	}
	if err := m.checkSigners(d.base); err != nil {
		return err
	}
	if m.PolicyText == "" {
		return nil
	}
	p, err := policy.Parse("policy.toml", []byte(m.PolicyText))
	if err != nil {
		return refuseMistakes(err)
	}
	if err := d.trust().Admit(p, d.policy, signatureBytes(m.PolicySignatures)...); err != nil {
		return refuse(PolicyRefused, "%w", err)
	}
	return nil
}

// trust returns the condition for a policy over the air: as for one on a card in mode
// two-person, in every mode of site.toml.
func (d device) trust() policy.Trust {
	return policy.Trust{Mode: policy.TwoPerson, Keys: d.base.Trust.Keys}
}

// checkSigners checks that people whose keys base trusts have signed the statement: one
// for a policy, two for a site.toml, of which no key is stricter or looser by itself.
func (m *Message) checkSigners(base *config.Site) error {
	if len(base.Trust.Keys) == 0 {
		return refuse(OpenTrust, "site.toml trusts no key: [trust]")
	}
	need := 1
	if m.SiteText != "" {
		need = 2
	}
	trust := policy.Trust{Mode: policy.TwoPerson, Keys: base.Trust.Keys}
	signers, err := trust.CountSigners(m.Statement(), signatureBytes(m.Signatures))
	switch {
	case err != nil:
		return refuse(NotSigned, "%w", err)
	case signers < need:
		return refuse(NotSigned, "signed by %d, and %d must", signers, need)
	}
	return nil
}

// checkFiles checks the unpacked files, and that site.toml leaves the fixed keys alone.
func (d device) checkFiles(m *Message, files admission.Files) error {
	site, decision, err := d.load(files)
	if err == nil && decision.Refused != nil && m.PolicyText != "" {
		err = decision.Refused
	}
	var conflicts admission.ConflictError
	switch {
	case errors.As(err, &conflicts):
		return refuse(Forbidden, "%w", conflicts[0])
	case err != nil:
		return refuseMistakes(err)
	}
	return checkFixed(d.base, site)
}

// checkFixed refuses a site.toml with other keys of trust, names, state directory, switches
// of the walls or programs: who could change these over the air could change everything.
func checkFixed(base, site *config.Site) error {
	a, b := base.Device, site.Device
	key := ""
	switch {
	case base.Trust.Mode != site.Trust.Mode || !slices.EqualFunc(base.Trust.Keys, site.Trust.Keys, func(a, b minisign.PublicKey) bool { return a.String() == b.String() }):
		key = "trust"
	case a.Tenant != b.Tenant || a.Site != b.Site || a.Name != b.Name:
		key = "device.name, site and tenant"
	case filepath.Clean(a.State) != filepath.Clean(b.State):
		key = "device.state"
	case a.Strict != b.Strict || a.Bench != b.Bench:
		key = "device.strict and bench"
	case slices.ContainsFunc(listPrograms(site), func(p string) bool { return !slices.Contains(listPrograms(base), p) }):
		key = "camera.command and decoder"
	default:
		return nil
	}
	return refuse(FixedKey, "%s must be as on the device: change it there", key)
}

// listPrograms returns the programs that a site starts for its cameras, with their
// arguments.
func listPrograms(s *config.Site) (all []string) {
	for _, c := range s.Cameras {
		if src, ok := c.Source.(config.CommandSource); ok {
			all = append(all, strings.Join(src.Words, "\x00"))
		}
	}
	if s.HasDecoder() {
		all = append(all, "ffmpeg")
	}
	return all
}

// refuseMistakes makes a Refusal of the first mistake of a file.
func refuseMistakes(err error) *Refusal {
	r := refuse(Mistakes, "%w", err)
	if list := admission.ListMistakes(err); len(list) > 0 {
		first := list[0]
		first.File = filepath.Base(first.File)
		r = refuse(Mistakes, "%w", mistake.First(mistake.List{first}))
		r.Line = first.Line
	}
	return r
}

// readReceived reads the bytes that the uplink has received last.
func readReceived(dir string) ([]byte, error) {
	b, err := readState(dir, state.WantReceived)
	if err != nil {
		return nil, fmt.Errorf("read what the platform wants: %w", err)
	}
	return bytes.TrimSpace(b), nil
}
