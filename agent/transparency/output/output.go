// Package output is kerb record but for the collecting: its flags, and the files written
// where. It reads and writes the files that the flags name, and prints the rest.
//
// It refuses to replace a declared.toml, and calls a register's form incomplete where an
// answer is missing that only a person can give.
package output

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/proof"
	"kerb/agent/terminal"
	"kerb/agent/transparency"
	"kerb/agent/transparency/notice"
	"kerb/agent/transparency/register"
)

// Flags are the flags of kerb record that do not describe the device, as flags of kong.
type Flags struct {
	Declared string   `help:"The controller's answers; without it every one is \"not provided\"." placeholder:"F" type:"path"`
	Init     bool     `help:"Print a declared.toml to begin with: every question, and the registers that ask it."`
	As       string   `help:"In the form of a register: nl, nl-api, atrs, dtpr, dtpr-ai, amsterdam, amsterdam-owner, dpv, art30, questions, charter or dpia." placeholder:"FORM"`
	Sign     bool     `help:"The sign for the pole, as a page to print."`
	SVG      bool     `name:"svg" help:"With -sign: as an SVG."`
	Page     bool     `help:"The controller's static page about this device."`
	Lang     string   `help:"Language of sign and page: en, fi, nl, de or fr." default:"en" placeholder:"L"`
	Paper    string   `help:"Paper of the sign: a4 or a5." enum:"a4,a5" default:"a5" placeholder:"P"`
	Windows  string   `help:"For -page: a file of count messages, one a line; without it the spool's." placeholder:"F" type:"path"`
	Proof    string   `help:"A bundle of kerb prove, for the record." placeholder:"F" type:"path"`
	From     string   `help:"Read this record.json instead of the device." placeholder:"F" type:"path"`
	Diff     bool     `help:"What changed for a passer-by between two records."`
	Merge    string   `help:"Merge all records in this directory: one file for each register." placeholder:"DIR" type:"path"`
	Out      string   `help:"Where -merge writes." default:"." placeholder:"DIR" type:"path"`
	Records  []string `arg:"" optional:"" name:"RECORD" help:"With -diff, the old record and the new one."`

	device config.Device // that Collect has seen
}

// Collect makes the record of a device with the answers and the proof that the flags name.
func (f *Flags) Collect(in transparency.Inputs) (*transparency.Record, error) {
	var err error
	if f.Declared != "" {
		trust := in.Decision.Trust
		if in.Declared, err = transparency.LoadDeclared(f.Declared, trust.Keys, trust.Mode != policy.OpenMode); err != nil {
			return nil, err
		}
	}
	if f.Proof != "" {
		if in.Proof, in.ProofSum, err = loadProof(f.Proof); err != nil {
			return nil, fmt.Errorf("read the proof: %w", err)
		}
	}
	f.device = in.Site.Device
	return transparency.Collect(in)
}

// loadProof reads a bundle of kerb prove and the SHA-256 of its file.
func loadProof(path string) (*proof.Bundle, string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(b)
	bundle := new(proof.Bundle)
	return bundle, hex.EncodeToString(sum[:]), json.Unmarshal(b, bundle)
}

// Run executes the flags. collect makes the record of this device.
func (f *Flags) Run(t terminal.Terminal, collect func() (*transparency.Record, error)) error {
	if err := f.check(); err != nil {
		return err
	}
	switch {
	case f.Init:
		_, err := io.WriteString(t.Out, transparency.Template())
		return err
	case f.Diff:
		return f.compare(t)
	case f.Merge != "":
		return f.merge(t)
	}
	var r *transparency.Record
	var err error
	if f.From != "" {
		r, err = transparency.Load(f.From)
	} else {
		r, err = collect()
	}
	if err != nil {
		return err
	}
	switch {
	case f.As != "":
		return f.export(t, r)
	case f.Sign:
		return f.sign(t, r)
	case f.Page:
		return f.page(t, r)
	}
	return f.record(t, r)
}

// check refuses flags that contradict each other, before any work.
func (f *Flags) check() error {
	jobs := 0
	for _, on := range []bool{f.Init, f.As != "", f.Sign, f.Page, f.Diff, f.Merge != ""} {
		if on {
			jobs++
		}
	}
	switch {
	case jobs > 1:
		return terminal.UsageError("record takes one of -init, -as, -sign, -page, -diff and -merge")
	case f.Diff != (len(f.Records) == 2) || !f.Diff && len(f.Records) > 0:
		return terminal.UsageError("record takes two RECORDs with -diff, and none otherwise; -from F reads one")
	case f.SVG && !f.Sign:
		return terminal.UsageError("-svg goes with -sign")
	case f.From != "" && (f.Declared != "" || f.Proof != ""):
		return terminal.UsageError("-from: that record has its answers and its proof already")
	}
	if _, err := notice.ParseLanguage(f.Lang); err != nil {
		return terminal.UsageError(err.Error())
	}
	if f.As != "" {
		if _, err := register.Find(f.As); err != nil {
			return terminal.UsageError(err.Error())
		}
	}
	return nil
}

// record prints the record, and on standard error what it lacks and warns of.
func (f *Flags) record(t terminal.Terminal, r *transparency.Record) error {
	b, err := r.JSON()
	if err != nil {
		return err
	}
	if _, err := t.Out.Write(b); err != nil {
		return err
	}
	missing := 0
	for key := range r.Declared {
		if _, ok := r.Answer(key); !ok {
			missing++
		}
	}
	for _, w := range r.Warnings.Value {
		fmt.Fprintf(t.Err, "kerb: %s\n", w.Text)
	}
	fmt.Fprintf(t.Err, "kerb: %d of %d answers are not provided; kerb record -init prints the questions\n", missing, len(r.Declared))
	return nil
}

// export prints a register's form. A form that machines check is incomplete, and the
// command fails, where an answer is missing.
func (f *Flags) export(t terminal.Terminal, r *transparency.Record) error {
	e, err := register.Find(f.As)
	if err != nil {
		return err
	}
	missing, err := e.Export(t.Out, transparency.Fleet([]*transparency.Record{r}))
	if err != nil {
		return err
	}
	printMissing(t.Err, missing)
	if len(missing) > 0 && !isText(e) {
		return fmt.Errorf("%s is incomplete: only people can answer these %d fields", e.Name(), len(missing))
	}
	return nil
}

// isText reports whether a form is for people, who see the blanks.
func isText(e register.Exporter) bool {
	return strings.HasSuffix(e.File(), ".md") || strings.HasSuffix(e.File(), ".html")
}

func printMissing(w io.Writer, missing []register.Missing) {
	for _, m := range missing {
		fmt.Fprintf(w, "kerb: %s\n", m)
	}
}

func (f *Flags) sign(t terminal.Terminal, r *transparency.Record) error {
	write := notice.WriteSign
	if f.SVG {
		write = notice.WriteSVG
	}
	missing, err := write(t.Out, r, notice.Language(f.Lang), notice.Paper(f.Paper))
	printMissing(t.Err, missing)
	return err
}

// day is how far back the page shows windows.
const day = 24 * time.Hour

func (f *Flags) page(t terminal.Terminal, r *transparency.Record) error {
	var windows []json.RawMessage
	var err error
	switch {
	case f.Windows != "":
		windows, err = readMessages(f.Windows)
	case f.From == "":
		if windows, err = transparency.ReadWindows(f.device, r.At.Add(-day)); err != nil {
			fmt.Fprintf(t.Err, "kerb: the page has no windows: %v\n", err)
			err = nil
		}
	}
	if err != nil {
		return err
	}
	missing, err := notice.WritePage(t.Out, r, notice.Language(f.Lang), windows)
	printMissing(t.Err, missing)
	return err
}

// readMessages reads count messages, one JSON object a line. What stands before the first
// brace of a line, such as a topic, is left out, so that the output of mosquitto_sub -v can
// be used. An array is taken apart, as …/backfill sends them.
func readMessages(path string) (all []json.RawMessage, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		i := bytes.IndexAny(line, "[{")
		if i < 0 {
			continue
		}
		line = bytes.TrimSpace(line[i:])
		var many []json.RawMessage
		if line[0] == '{' {
			many = []json.RawMessage{line}
		} else if err := json.Unmarshal(line, &many); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		all = append(all, many...)
	}
	return all, nil
}

func (f *Flags) compare(t terminal.Terminal) error {
	old, err := transparency.Load(f.Records[0])
	new, nerr := transparency.Load(f.Records[1])
	if err := errors.Join(err, nerr); err != nil {
		return err
	}
	return transparency.PrintComparison(t.Out, old, new)
}

// merge writes one file for each register.
func (f *Flags) merge(t terminal.Terminal) error {
	records, err := transparency.LoadFleet(f.Merge)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.Out, 0o755); err != nil {
		return err
	}
	groups := transparency.Fleet(records)
	fmt.Fprintf(t.Out, "%d records in %d groups\n", len(records), len(groups))
	for _, e := range register.Exporters() {
		var b bytes.Buffer
		missing, err := e.Export(&b, groups)
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
		path := filepath.Join(f.Out, e.File())
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(t.Out, "%-16s %s, %d fields not provided\n", e.Name(), path, len(missing))
	}
	return nil
}
