package transparency

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// A Group holds the records of devices that a register takes as one entry: they have the
// same policy, controller's answers, networks and counted classes. It is never empty.
type Group []*Record

// First is the record from which the values equal in all are taken.
func (g Group) First() *Record { return g[0] }

// Fleet groups records, in the order of their first devices.
func Fleet(records []*Record) (groups []Group) {
	keys := map[string]int{}
	for _, r := range records {
		k := groupKey(r)
		i, ok := keys[k]
		if !ok {
			i = len(groups)
			keys[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}

// groupKey is equal for records of one group.
func groupKey(r *Record) string {
	answers := map[string]any{}
	for k, f := range r.Declared {
		answers[k] = f.Value
	}
	b, err := json.Marshal([]any{r.Policy.Hash.Value, r.Device.Tenant.Value, answers, r.Models.Value, r.Output.Classes.Value, r.Output.Recipient.Value, r.Output.Encrypted.Value, r.HasCamera(), r.HasLoops(), r.Build.Binary.Value, r.Warnings.Value})
	if err != nil {
		panic(err) // plain values
	}
	return string(b)
}

// LoadFleet reads every *.json file in dir as a record, in the order of tenant, site and
// name. A file that is no record is an error, and so is a device with two records.
func LoadFleet(dir string) ([]*Record, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no *.json: %w", dir, fs.ErrNotExist)
	}
	var all []*Record
	var faults []error
	for _, p := range paths {
		r, err := Load(p)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *Record) int { return cmp.Compare(a.deviceName(), b.deviceName()) })
	for i := 1; i < len(all); i++ {
		if all[i].deviceName() == all[i-1].deviceName() {
			faults = append(faults, fmt.Errorf("%s: two records of %s: keep the newest", dir, all[i].deviceName()))
		}
	}
	return all, errors.Join(faults...)
}

// deviceName is tenant/site/name.
func (r *Record) deviceName() string {
	return strings.Join([]string{r.Device.Tenant.Value, r.Device.Site.Value, r.Device.Name.Value}, "/")
}

// SiteLoss is the account of one class over all sensors of one site: the largest privacy
// loss of somebody who is counted once at each of them.
type SiteLoss struct {
	Site    string
	Class   string
	Devices int
	Sensors int
	Epsilon float64 // 0 without noise
}

// SiteLedger adds up the ledgers of devices by site and class, in the order of the devices.
func SiteLedger(records []*Record) (all []SiteLoss) {
	for _, r := range records {
		counted := map[int]bool{}
		for _, c := range r.Clearing.Ledger.Value {
			site := r.Device.Tenant.Value + "/" + r.Device.Site.Value
			i := slices.IndexFunc(all, func(l SiteLoss) bool { return l.Site == site && l.Class == c.Class })
			if i < 0 {
				i = len(all)
				all = append(all, SiteLoss{Site: site, Class: c.Class})
			}
			if !counted[i] {
				counted[i] = true
				all[i].Devices++
			}
			all[i].Sensors++
			all[i].Epsilon += c.Epsilon
		}
	}
	return all
}
