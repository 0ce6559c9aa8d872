package wipe

import (
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/audit"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/store"
)

// A Certificate lists the files that were destroyed on a device, and the limits of
// that. Its JSON has the schema kerb.wipe/1.
type Certificate struct {
	Schema    string    `json:"schema"`
	Tenant    string    `json:"tenant"`
	Site      string    `json:"site"`
	Device    string    `json:"device"`
	Machine   string    `json:"machine,omitempty"` // the hardware; see store.MachineID
	Kerb      string    `json:"kerb"`              // its version
	At        time.Time `json:"at"`
	Synced    bool      `json:"synced"`   // the clock could be trusted at that time
	Complete  bool      `json:"complete"` // every item was destroyed
	Destroyed []Item    `json:"destroyed"`
	Left      []string  `json:"left"`     // paths of other files in the state directory, which stay
	Retained  string    `json:"retained"` // of the messages state, meta and now that the broker retains: whether they were cleared, for a person
	Audit     AuditEnd  `json:"audit"`
	Note      string    `json:"note"`
}

// AuditEnd identifies the audit log at its end, so that an earlier head can be
// compared with it.
type AuditEnd struct {
	First uint64     `json:"first"`         // number of the oldest entry
	Head  audit.Head `json:"head"`          // its last entry, which is the wipe
	Holds bool       `json:"holds"`         // the hash chain is whole
	Why   string     `json:"why,omitempty"` // why Holds is false
}

// flashNote is the limit of overwriting, which every certificate states.
const flashNote = `Zeros over a file reach the same place only where nothing below moves them. On flash (SD cards, eMMC, SSDs) the controller may put them elsewhere: earlier copies can stay in cells that nobody can address, until it erases them. Where that matters, erase the whole medium (its own secure erase, or blkdiscard) or destroy it. What lay in the spool were released numbers; kerb writes no picture and no exact count to the state directory. What a person had written elsewhere (kerb loops -record, kerb report, copies) is not looked for.`

// NewCertificate returns a certificate, still without items, for the device of site at
// the time r. left lists the paths that stay.
func NewCertificate(site *config.Site, version string, r clock.Reading, left []string) *Certificate {
	if left == nil {
		left = []string{}
	}
	return &Certificate{
		Schema: "kerb.wipe/1", Tenant: site.Device.Tenant, Site: site.Device.Site, Device: site.Device.Name,
		Machine: store.MachineID(), Kerb: version, At: r.Wall.Truncate(time.Second), Synced: r.Synced,
		Complete: true, Destroyed: []Item{}, Left: left, Note: flashNote,
	}
}

// DestroyItem hashes and destroys the file of x and adds x to the certificate. After an
// error x.Error has the reason and the certificate is not complete.
func (c *Certificate) DestroyItem(x *Item) {
	err := x.HashFile()
	if err == nil {
		err = x.DestroyFile()
	}
	if err != nil {
		c.Complete, x.How, x.Error = false, "", err.Error()
	}
	c.Destroyed = append(c.Destroyed, *x)
}

// Print writes the certificate as text, or as one JSON object.
func (c *Certificate) Print(w io.Writer, asJSON bool) error {
	if asJSON {
		return encodeJSON(w, c)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "CERTIFICATE OF DESTRUCTION\n\ndevice   %s/%s/%s\n", c.Tenant, c.Site, c.Device)
	if c.Machine != "" {
		fmt.Fprintf(&b, "machine  %s\n", c.Machine)
	}
	fmt.Fprintf(&b, "time     %s\nkerb     %s\n", formatTime(c.At, c.Synced), c.Kerb)
	fmt.Fprintf(&b, "messages %s\n", c.Retained)
	if !c.Complete {
		b.WriteString("NOT COMPLETE: what is marked FAILED is still there\n")
	}
	for _, x := range c.Destroyed {
		fmt.Fprintf(&b, "\n%s  %s\n", x.Kind, x.Path)
		switch {
		case x.Kind == secretKind || x.Kind == keyKind:
			b.WriteString("  size and hash are not told: they would help to guess it\n")
		case x.SHA256 != "":
			fmt.Fprintf(&b, "  %d bytes, sha256 %s\n", x.Bytes, x.SHA256)
		}
		if x.Error != "" {
			fmt.Fprintf(&b, "  FAILED: %s\n", x.Error)
		} else {
			fmt.Fprintf(&b, "  %s\n", x.How)
		}
	}
	fmt.Fprintf(&b, "\naudit log  entries %d–%d, head %d:%s\n", c.Audit.First, c.Audit.Head.Seq, c.Audit.Head.Seq, c.Audit.Head.Sum)
	if !c.Audit.Holds {
		fmt.Fprintf(&b, "  IT DOES NOT HOLD: %s\n", c.Audit.Why)
	}
	for _, path := range c.Left {
		fmt.Fprintf(&b, "left alone: %s\n", path)
	}
	fmt.Fprintf(&b, "\n%s\n", c.Note)
	_, err := io.WriteString(w, b.String())
	return err
}

// movedWriteReason says why overwriting the file at path leaves its old blocks on the
// disk: its file system copies on write or keeps lower layers. It returns "" for other
// file systems and where statfs(2) fails.
func movedWriteReason(path string) string {
	const ( // magic numbers that x/sys/unix lacks
		zfs, bcachefs, ubifs, jffs2 = 0x2fc12fc1, 0xca451a4e, 0x24051905, 0x72b6
		moves                       = "this file system puts what is written in another place"
	)
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return ""
	}
	switch uint32(s.Type) {
	case unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.NILFS_SUPER_MAGIC, zfs, bcachefs, ubifs, jffs2:
		return moves
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "this file system keeps the layers below as they were"
	}
	return ""
}
