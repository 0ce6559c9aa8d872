package filecheck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/mistake"
	"kerb/agent/policy"
)

// maxMistakes is the number of mistakes of a folder that are told. Chosen by hand.
const maxMistakes = 100

// Folder is what CheckFolder found.
type Folder struct {
	Files    int          // that were read
	Wrong    int          // of these, files with a mistake
	Mistakes mistake.List // of the wrong files, at most maxMistakes
}

// Err returns an error with the mistakes, nil where there is none.
func (f Folder) Err() error {
	if f.Wrong == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d site files are wrong\n%w", f.Wrong, f.Files, f.Mistakes)
}

// CheckFolder checks each file in dir that ends with .toml as the site.toml of another
// machine, which is new and shall run under the policy at policyPath: what ParseElsewhere
// checks, whether the file's [trust] takes the policy with its signatures, and that no two
// files name one device. The error is that of the folder or the policy, or of ctx.
func CheckFolder(ctx context.Context, dir, policyPath string) (f Folder, err error) {
	p, signatures, err := admission.ReadSigned(policyPath)
	if err != nil {
		return f, err
	}
	names, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.toml"))
	switch {
	case err != nil:
		return f, err
	case len(names) == 0:
		return f, fmt.Errorf("%s has no file that ends with .toml", dir)
	}
	slices.Sort(names)
	devices := map[string]string{} // address → file
	for _, name := range names {
		if ctx.Err() != nil {
			return f, ctx.Err()
		}
		f.Files++
		err := checkOne(name, p, signatures, devices)
		if err == nil {
			continue
		}
		f.Wrong++
		f.Mistakes = append(f.Mistakes, admission.ListMistakes(err)...)
		f.Mistakes = f.Mistakes[:min(len(f.Mistakes), maxMistakes)]
	}
	return f, nil
}

// escapeGlob returns a pattern of filepath.Glob that matches the path alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// checkOne checks one file of a folder, and enters its device into devices.
func checkOne(name string, p *policy.Policy, signatures [][]byte, devices map[string]string) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() { // a pipe would wait for a writer, and a device never end
		return mistake.List{{File: name, Want: "is no file"}}
	}
	text, err := mistake.ReadFile(name)
	if err != nil {
		return err
	}
	site, err := ParseElsewhere(name, text, p)
	if err != nil {
		return err
	}
	return errors.Join(admitNew(name, site, p, signatures), noteDevice(name, site, devices))
}

// admitNew returns a mistake where a new device of this site would refuse the policy.
func admitNew(name string, site *config.Site, p *policy.Policy, signatures [][]byte) error {
	trust := policy.Trust{Mode: policy.OpenMode, Keys: site.Trust.Keys}
	var err error
	if site.Trust.Mode != "" {
		trust.Mode, err = policy.ParseMode(site.Trust.Mode)
	}
	if err == nil {
		err = trust.Admit(p, nil, signatures...)
	}
	if err == nil {
		return nil
	}
	return mistake.List{{File: name, Key: "trust", Want: "the policy is refused: " + mistake.First(err).Error()}}
}

// noteDevice returns a mistake where another file names the same device. A device that is
// named by its serial number is known by that alone.
func noteDevice(name string, site *config.Site, devices map[string]string) error {
	d := site.Device
	address := d.Tenant + "/" + d.Site + "/" + d.Name
	if other := devices[address]; other != "" && d.Name != config.SerialName {
		return mistake.List{{File: name, Key: "device", Want: "names the device " + address + ", as " + other + " does", Hint: "two devices of one name disturb each other"}}
	}
	devices[address] = name
	return nil
}
