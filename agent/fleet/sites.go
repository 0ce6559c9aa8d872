package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/filecheck"
	"kerb/agent/mistake"
	"kerb/agent/policy"
	"kerb/agent/terminal"
)

// SitesCommand is kerb fleet sites.
type SitesCommand struct {
	Template string `arg:"" help:"A site.toml with {{column}} where a value of the table goes."`
	Rows     string `arg:"" help:"The table, in CSV with a head: tenant, site, device and what the template names."`
	Policy   string `help:"Check each file against this policy, too." placeholder:"F"`
	Out      string `help:"Write the files into this new folder, as TENANT.SITE.DEVICE.toml; without it they are only checked." placeholder:"DIR"`
	JSON     bool   `help:"As one JSON object."`
}

// Help is the long help: quoting and serial numbers.
func (SitesCommand) Help() string {
	return `A value is quoted for a string of TOML: write "{{column}}" in the template, or {{column}} for a number. With name = "serial" in the template a device takes the serial number of its board as its name; the column device must then hold that number (lower case). The files are checked as kerb check does, but for files that they name: these are on the devices. Public keys must be written out. While one row is wrong, nothing is written.`
}

// maxWrong is the number of wrong rows that are told. Chosen by hand.
const maxWrong = 20

// sitesResult is the object of -json.
type sitesResult struct {
	OK    bool         `json:"ok"`
	Files int          `json:"files"`           // that are good
	Wrong mistake.List `json:"wrong,omitempty"` // File and Line are of the table; the first of each row, at most maxWrong
	Rows  int          `json:"wrong_rows"`
}

// Run makes the files.
func (c *SitesCommand) Run(ctx context.Context, t terminal.Terminal) error {
	r, files, err := c.makeSites(ctx)
	if err == nil && r.Rows == 0 && c.Out != "" {
		err = writeNewFolder(c.Out, files)
	}
	if err != nil {
		return err
	}
	if r.OK = r.Rows == 0; !r.OK {
		err = fmt.Errorf("%d of %d rows are wrong: nothing was written\n%w", r.Rows, r.Rows+r.Files, r.Wrong)
	}
	if c.JSON {
		return errors.Join(err, json.NewEncoder(t.Out).Encode(r))
	}
	if err != nil {
		return err
	}
	where := "checked"
	if c.Out != "" {
		where = "in " + c.Out
	}
	_, err = fmt.Fprintf(t.Out, "%d site files %s\n", r.Files, where)
	return err
}

// makeSites fills and checks the template for each row. The error is one of the
// command: a table, template or policy that cannot be read.
func (c *SitesCommand) makeSites(ctx context.Context) (r sitesResult, files map[string][]byte, err error) {
	columns, rows, err := readRows(c.Rows)
	if err != nil {
		return r, nil, err
	}
	tmpl, err := readTemplate(c.Template, columns)
	if err != nil {
		return r, nil, err
	}
	var pol *policy.Policy
	if c.Policy != "" {
		if pol, err = policy.Load(c.Policy); err != nil {
			return r, nil, err
		}
	}
	files = map[string][]byte{}
	for _, w := range rows {
		if ctx.Err() != nil {
			return r, nil, ctx.Err()
		}
		text, err := tmpl.makeSite(w, pol)
		if err == nil {
			r.Files++
			files[fileName(w.address(), ".toml")] = []byte(text)
			continue
		}
		if r.Rows++; len(r.Wrong) < maxWrong {
			r.Wrong = append(r.Wrong, tmpl.toMistake(c.Rows, w, err))
		}
	}
	return r, files, nil
}

// makeSite fills the template for one device and checks the result.
func (t *siteTemplate) makeSite(w row, pol *policy.Policy) (string, error) {
	text, err := t.fill(w)
	if err != nil {
		return "", err
	}
	site, err := filecheck.ParseElsewhere(t.path, []byte(text), pol)
	if err != nil {
		return "", err
	}
	d := site.Device
	if d.Name == config.SerialName {
		d.Name = w.values["device"]
	}
	if own := d.Tenant + "/" + d.Site + "/" + d.Name; own != w.address() {
		return "", fmt.Errorf("the file names the device %s, and the row %s", own, w.address())
	}
	return text, nil
}

// toMistake names the line of the table, and of the template the columns in the line
// that is wrong.
func (t *siteTemplate) toMistake(table string, w row, err error) mistake.Mistake {
	m := mistake.Mistake{File: table, Line: w.line, Want: w.address() + ": " + err.Error()}
	if list := admission.ListMistakes(err); len(list) > 0 {
		first := list[0]
		where := ""
		if first.Line > 0 {
			where = fmt.Sprintf("%s:%d: ", t.path, first.Line)
		}
		m.Key, m.Value, m.Hint = first.Key, first.Value, first.Hint
		m.Want = fmt.Sprintf("%s: %s%s", w.address(), where, first.Want)
		if cs := t.columnsIn(first.Line); len(cs) > 0 {
			m.Hint = strings.TrimPrefix(m.Hint+"; its value is from column "+strings.Join(cs, ", "), "; ")
		}
	}
	return m
}

// fileName returns the name of a device's file.
func fileName(address, suffix string) string {
	return strings.ReplaceAll(address, "/", ".") + suffix
}

// writeNewFolder writes the files into a folder that must not exist yet, or be empty.
func writeNewFolder(dir string, files map[string][]byte) error {
	if old, err := os.ReadDir(dir); err == nil && len(old) > 0 {
		return fmt.Errorf("%s is not empty: name a new folder", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
