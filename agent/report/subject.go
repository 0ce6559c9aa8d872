package report

import (
	"path/filepath"

	"kerb/agent/admission"
	"kerb/agent/audit"
	"kerb/agent/config"
	"kerb/agent/state"
	"kerb/agent/store"
)

// Subject identifies the device to which a proof belongs, with the keys of its JSON.
type Subject struct {
	Tenant  string   `json:"tenant"`
	Site    string   `json:"site"`
	Device  string   `json:"name"`
	Machine string   `json:"machine,omitempty"` // the hardware; see store.MachineID
	Policy  string   `json:"policy"`            // hash of the policy in force
	Refused string   `json:"refused,omitempty"` // why the policy file is not in force
	Trust   string   `json:"trust"`             // mode
	Keys    []string `json:"keys"`              // that are trusted
	Signers []string `json:"signers"`           // of the policy in force

	Audit    audit.Head `json:"audit"`               // zero where the log cannot be verified
	AuditWhy string     `json:"audit_why,omitempty"` // why
}

// DescribeSubject reads which device this is, its policy, its trust and the head of its
// audit log.
func DescribeSubject(site *config.Site, d admission.Decision) Subject {
	s := Subject{
		Tenant: site.Device.Tenant, Site: site.Device.Site, Device: site.Device.Name, Machine: store.MachineID(),
		Policy: d.Policy.Hash(), Trust: d.Trust.Mode.String(), Keys: []string{}, Signers: append([]string{}, d.SignerIDs()...),
	}
	if d.Refused != nil {
		s.Refused = d.Refused.Error()
	}
	for _, k := range d.Trust.Keys {
		s.Keys = append(s.Keys, k.String())
	}
	owner, err := state.OpenOwner(site.Device.State)
	if err != nil {
		s.AuditWhy = err.Error()
		return s
	}
	defer owner.Close()
	err = owner.Do(func(dir string) error {
		r, err := audit.VerifyHead(filepath.Join(dir, state.AuditDir), audit.Head{})
		s.Audit = r.Head
		return err
	})
	if err != nil {
		s.Audit, s.AuditWhy = audit.Head{}, err.Error()
	}
	return s
}
