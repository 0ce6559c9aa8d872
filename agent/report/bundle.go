package report

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/status"
)

// Bundle holds the parts of a report. Version is the program's, Check returns why an
// agent would not start.
type Bundle struct {
	SitePath, PolicyPath string
	Version              string
	Check                func() error
}

// entry is one file of a bundle.
type entry struct {
	name, what string
	text       []byte
}

// windowsInReport is the number of windows in status.json: none, as a bundle is about
// the device.
const windowsInReport = 0

// Write writes the bundle to w, a gzipped tar archive with one folder, and returns the
// names of its files. What cannot be read is a file that says why. Every text passes
// the Redactor, and an error is that of w, or of a user who may not ask.
func (b Bundle) Write(ctx context.Context, w io.Writer, now time.Time) (names []string, err error) {
	device, err := FindDevice(b.SitePath)
	if err != nil {
		device = config.Device{State: config.DefaultState}
	}
	siteText, siteErr := os.ReadFile(b.SitePath)
	site, _ := config.Load(b.SitePath)
	r := NewRedactor(site, siteText)
	st, err := ReadStatus(ctx, device, windowsInReport, func() (*policy.Policy, error) { return nil, b.Check() })
	if err != nil && !errors.Is(err, status.ErrBusy) {
		return nil, err
	}
	all := []entry{
		{"version.txt", "the program", []byte(b.Version + "\n")},
		{"status.json", "what kerb status -json tells, without windows", encode(st, err)},
		{"site.toml", "the engineer's file, redacted", textOr(siteText, siteErr)},
		b.policyEntry(),
		{"check.txt", "what kerb check says", []byte(b.checkText())},
		b.inventoryEntry(ctx, site),
		logEntry(ctx, device),
	}
	folder := "kerb-report-" + now.UTC().Format("20060102-150405")
	if device.Name != "" {
		folder = "kerb-report-" + device.Name + "-" + now.UTC().Format("20060102-150405")
	}
	return writeArchive(w, folder, append([]entry{readme(all)}, all...), r, now)
}

// readme lists the files of a bundle, and the data that it leaves out.
func readme(all []entry) entry {
	var text strings.Builder
	text.WriteString("A report of kerb for support.\n\nIn it:\n")
	for _, e := range all {
		fmt.Fprintf(&text, "  %-15s %s\n", e.name, e.what)
	}
	text.WriteString("\nNot in it: pictures, counts, passwords, keys, tokens, and users and queries of URLs. Read it before you send it.\n")
	return entry{"README.txt", "", []byte(text.String())}
}

// encode returns v as indented JSON, or the error as a line.
func encode(v any, err error) []byte {
	var text []byte
	if err == nil {
		text, err = json.MarshalIndent(v, "", "  ")
	}
	return append(textOr(text, err), '\n')
}

// textOr returns text, or the error as a line.
func textOr(text []byte, err error) []byte {
	if err != nil {
		return []byte(err.Error() + "\n")
	}
	return text
}

// policyEntry is the reviewer's file.
func (b Bundle) policyEntry() entry {
	text, err := os.ReadFile(b.PolicyPath)
	if err == nil {
		if p, perr := policy.Parse(b.PolicyPath, text); perr == nil {
			text = append(text, fmt.Sprintf("\n# hash: %s\n", p.Hash())...)
		}
	}
	return entry{"policy.toml", "the reviewer's file, redacted", textOr(text, err)}
}

// checkText is what kerb check would say.
func (b Bundle) checkText() string {
	if err := b.Check(); err != nil {
		return err.Error() + "\n"
	}
	return "both files fit\n"
}

// inventoryEntry is the hardware, the clock, the disk and the walls as measured. The
// cameras are not asked: status.json tells how they are.
func (b Bundle) inventoryEntry(ctx context.Context, site *config.Site) entry {
	f, err := TakeInventory(ctx)
	if site == nil {
		site = &config.Site{}
	}
	AddSite(&f, site)
	return entry{"device.json", "hardware, clock, disk, and the walls as measured", encode(f, err)}
}

// The bounds of the log in a bundle, chosen by hand.
const (
	maxLogBytes = 1 << 20
	logLines    = "2000"
	logTimeout  = 20 * time.Second
)

// logEntry is the log: the journal of the service, where this user may read it, and
// else the last lines that the running agent keeps.
func logEntry(ctx context.Context, d config.Device) entry {
	e := entry{name: "log.txt", what: "the last lines of the log"}
	if _, err := os.Stat("/run/systemd/system"); err == nil && d.State == config.DefaultState {
		if e.text = readJournal(ctx); len(e.text) > 0 {
			return e
		}
	}
	c, err := status.Dial(ctx, d.State)
	if err == nil {
		defer c.Close()
		var lines []string
		if lines, err = c.Log(); err == nil {
			e.text = []byte(strings.Join(lines, "\n") + "\n")
			return e
		}
	}
	e.text = []byte("there is no log: " + err.Error() + "\n")
	return e
}

// readJournal returns the last lines of kerb's units, nil where the journal cannot be
// read.
func readJournal(ctx context.Context) []byte {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", logLines, "-u", "kerb", "-u", "kerb-aim")
	cmd.WaitDelay = time.Second
	text, err := cmd.Output()
	if err != nil {
		return nil
	}
	return text[max(len(text)-maxLogBytes, 0):]
}

// writeArchive writes the entries, redacted, as a gzipped tar archive.
func writeArchive(w io.Writer, folder string, all []entry, r *Redactor, now time.Time) (names []string, err error) {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	for _, e := range all {
		text := r.Redact(bytes.ToValidUTF8(r.Redact(e.text), []byte("�"))) // once more: a secret may be behind a broken letter
		h := &tar.Header{Typeflag: tar.TypeReg, Name: folder + "/" + e.name, Mode: 0o644, Size: int64(len(text)), ModTime: now}
		if err := archive.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := archive.Write(text); err != nil {
			return nil, err
		}
		names = append(names, h.Name)
	}
	return names, errors.Join(archive.Close(), zipped.Close())
}
