// Package probe takes an inventory of a device: attached cameras, GPIO lines, disk, and
// whether the cameras of site.toml answer. It prints the inventory and can write a
// first site.toml for the cameras that it found.
//
// A camera of site.toml is read for a few seconds by a process of its own, kerb look,
// which has the walls of kerb sense and tells size and number of the pictures alone.
// The TLS certificate of a network camera is fetched without a check on another
// connection, because the purpose is to show its hash; no password is sent there.
//
// The package refuses to read a picture itself, and to replace a site.toml without
// force.
package probe

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/agent/opener"
	"kerb/agent/policy"
	"kerb/agent/terminal"
)

// An Inventory is everything that kerb probe found, with the keys of its JSON.
type Inventory struct {
	Machine  string           `json:"machine"`
	Model    string           `json:"model,omitempty"` // of the board
	Cores    int              `json:"cores"`
	Memory   uint64           `json:"memory_bytes"`
	Board    map[string]any   `json:"board,omitempty"`
	Clock    ClockFacts       `json:"clock"`
	Walls    []WallFacts      `json:"walls"`
	Devices  []string         `json:"devices"`
	Attached []AttachedCamera `json:"attached,omitempty"` // cameras of this device that site.toml can name
	Denied   []string         `json:"denied,omitempty"`   // devices that this user may not open
	GPIO     []Chip           `json:"gpio,omitempty"`
	Cameras  []CameraFacts    `json:"cameras,omitempty"` // cameras that site.toml names
	Disk     *DiskFacts       `json:"disk,omitempty"`
	NoSite   string           `json:"no_site,omitempty"` // why Cameras and Disk are absent
	Mistaken bool             `json:"-"`                 // NoSite is a mistake in the file, which is there
	Lines    []LineFacts      `json:"lines,omitempty"`   // loop lines of site.toml, where kerb probe waited for edges
	Lamp     string           `json:"lamp,omitempty"`    // whether the lamp was blinked, or why not
	Wrote    string           `json:"-"`                 // the site.toml that kerb probe -write has just begun
	Flags    string           `json:"-"`                 // of the next command, see admission.Files.CommandFlags
}

// ClockFacts is the present time, and why it can be trusted.
type ClockFacts struct {
	Wall   time.Time `json:"wall"`
	Synced bool      `json:"synced"` // the clock can be trusted
	Source string    `json:"source"` // why it can be trusted
}

// WallFacts counts the walls of one role that hold, and names those that do not.
type WallFacts struct {
	Role     string   `json:"role"`
	Hold     int      `json:"hold"`
	Open     []string `json:"open"`     // attempts that succeeded without a reason to
	Kernel   string   `json:"kernel"`   // version of Linux
	Landlock int      `json:"landlock"` // version of its ABI; 0: none
}

// CameraFacts is the answer of one camera of site.toml.
type CameraFacts struct {
	Name        string  `json:"name"`
	Source      string  `json:"source"`
	Kind        string  `json:"kind,omitempty"`  // of its pictures
	Width       int     `json:"width,omitempty"` // of a picture, in pixels; 0: none was read
	Height      int     `json:"height,omitempty"`
	Rate        float64 `json:"pictures_per_s,omitempty"`
	Undecoded   int     `json:"undecoded,omitempty"`   // pictures that could not be decoded
	Busy        string  `json:"busy,omitempty"`        // why it was not asked; "" where it was
	Error       string  `json:"error,omitempty"`       // the reader's own reason why there is no picture
	Do          string  `json:"do,omitempty"`          // what to do about the error
	Certificate string  `json:"certificate,omitempty"` // SHA-256 of its TLS certificate, in hexadecimal
}

// DiskFacts is the free space of the file system that holds the state directory.
type DiskFacts struct {
	State string `json:"state"`
	Free  uint64 `json:"free_bytes"`
	Error string `json:"error,omitempty"` // of statfs(2)

	Denied bool `json:"denied,omitempty"` // the directory is not there, and this user may not make it
}

// SummariseWalls counts the walls of a report. An attempt that is allowed to succeed,
// for a reason, counts as neither held nor open.
func SummariseWalls(r cage.Report) WallFacts {
	w := WallFacts{Role: r.Role, Kernel: r.Kernel, Landlock: r.Landlock, Open: []string{}}
	for _, one := range r.Walls {
		switch {
		case one.Holds:
			w.Hold++
		case one.Reason == "":
			w.Open = append(w.Open, one.Name)
		}
	}
	return w
}

// dialTimeout bounds the dialling of one camera and its TLS handshake; chosen by hand.
const dialTimeout = 5 * time.Second

// dialCertificate dials the camera for at most 5 s and returns the hash of its TLS
// certificate, "" where it cannot be fetched.
func dialCertificate(ctx context.Context, c config.Camera) (hash string) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := opener.New(c, policy.ClipPixels, (*exec.Cmd).Start, io.Discard, slog.New(slog.DiscardHandler))
	defer d.Close()
	files, err := d.OpenFiles(ctx, handover.RequestCamera)
	if err == nil && len(files) == 1 {
		hash, _ = readCertificateHash(ctx, files[0]) // the look that follows tells why it has none
	}
	for _, file := range files {
		file.Close()
	}
	return hash
}

// readCertificateHash returns the SHA-256 of the TLS certificate on the connected
// socket, as the key certificate of site.toml wants it. No authority is checked.
func readCertificateHash(ctx context.Context, file *os.File) (string, error) {
	conn, err := net.FileConn(file)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // only the certificate is read, and no data is sent
	if err := secure.HandshakeContext(ctx); err != nil {
		return "", fmt.Errorf("speak TLS with it: %w", err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(secure.ConnectionState().PeerCertificates[0].Raw)), nil
}

// MeasureDisk returns the free space under dir, or under its nearest parent that
// exists.
func MeasureDisk(dir string) *DiskFacts {
	d := &DiskFacts{State: dir}
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	d.Denied = dir != d.State && errors.Is(unix.Access(dir, unix.W_OK), unix.EACCES)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		d.Error = err.Error()
		return d
	}
	d.Free = fs.Bavail * uint64(fs.Bsize)
	return d
}

// minDiskFree is the free space in bytes below which the disk counts as full, as for a
// running agent (status.Disk).
const minDiskFree = 16 << 20

// IsFull reports whether the disk has too little room for the spool.
func (d DiskFacts) IsFull() bool { return d.Error == "" && d.Free < minDiskFree }

// Describe returns the facts in one line for people.
func (d DiskFacts) Describe() string {
	text := fmt.Sprintf("%s: %d MB free", d.State, d.Free>>20)
	switch {
	case d.Error != "":
		text = d.State + ": " + d.Error
	case d.IsFull():
		text += ", FULL, nothing can be stored → make room, or use a larger card"
	}
	if d.Denied {
		text += "; it is not there, and this user may not make it → another [device] state, or sudo"
	}
	return text
}

// nextStep returns the next command for the engineer.
func (f Inventory) nextStep() string {
	flags := f.Flags
	if f.Wrote != "" {
		return "put your own names, broker and cameras into " + f.Wrote + ", then kerb check" + flags
	}
	if f.Mistaken {
		return "kerb check" + flags + " tells every mistake: mend them"
	}
	if f.NoSite != "" {
		return "kerb probe -write site.toml, then kerb check"
	}
	if f.Disk != nil && f.Disk.IsFull() {
		return "make room on the disk, then kerb check" + flags
	}
	for _, c := range f.Cameras {
		if c.Error != "" {
			return "camera " + c.Name + " gives no picture: mend that, then kerb probe" + flags + " again"
		}
	}
	return "kerb check" + flags
}

// printAttached prints the attached cameras and the GPIO chips.
func (f Inventory) printAttached(t terminal.Terminal) {
	for _, c := range f.Attached {
		fmt.Fprintf(t.Out, "attached %s: %s\n         source = %q\n", cmp.Or(c.Device, c.Source), c.Name, c.Source)
		fmt.Fprintf(t.Out, "         gives %s\n         kerb would take %s\n", strings.Join(c.Formats, ", "), c.Choice)
	}
	for _, path := range f.Denied {
		fmt.Fprintf(t.Out, "denied   %s: permission denied → the user needs its group: usermod -aG %s USER\n", path, groupOf(path))
	}
	if len(f.Attached) == 0 {
		fmt.Fprintln(t.Out, "attached no camera")
	}
	for _, c := range f.GPIO {
		fmt.Fprintf(t.Out, "gpio     %s\n", c)
	}
}

// describeBoard writes the facts of a board in one line, bytes as MB.
func describeBoard(b map[string]any) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(b)) {
		name, value := strings.ReplaceAll(key, "_", " "), fmt.Sprint(b[key])
		if n, ok := b[key].(uint64); ok && strings.HasSuffix(key, "_bytes") {
			name, value = strings.TrimSuffix(name, " bytes"), fmt.Sprintf("%d MB", n>>20)
		}
		parts = append(parts, name+" "+value)
	}
	return strings.Join(parts, ", ")
}

// Print prints the inventory for people.
func (f Inventory) Print(t terminal.Terminal) {
	fmt.Fprintf(t.Out, "machine  %s, %d cores, %d MB\n", cmp.Or(f.Model, f.Machine), f.Cores, f.Memory>>20)
	if len(f.Board) > 0 {
		fmt.Fprintf(t.Out, "board    %s\n", describeBoard(f.Board))
	}
	trust := "not believed: no time server has set it, and site.toml has no clock_floor that it is past"
	if f.Clock.Synced {
		trust = "believed: " + f.Clock.Source
	}
	fmt.Fprintf(t.Out, "clock    %s, %s\n", f.Clock.Wall.Format(time.RFC3339), trust)
	for _, w := range f.Walls {
		landlock := fmt.Sprintf("Landlock %d", w.Landlock)
		if w.Landlock == 0 {
			landlock = "no Landlock"
		}
		fmt.Fprintf(t.Out, "walls    %-10s %d hold (Linux %s, %s)\n", w.Role, w.Hold, w.Kernel, landlock)
		for _, name := range w.Open {
			fmt.Fprintf(t.Out, "         %-10s CAN %s\n", w.Role, name)
		}
	}
	f.printAttached(t)
	for _, c := range f.Cameras {
		fmt.Fprintf(t.Out, "camera   %-10s %s: %s\n", c.Name, c.Source, c.Describe())
		if c.Certificate != "" {
			fmt.Fprintf(t.Out, "         certificate = %q\n", c.Certificate)
		}
	}
	for _, l := range f.Lines {
		fmt.Fprintf(t.Out, "loop     %-10s %s: %s\n", l.Name, l.GPIO, l.Describe())
	}
	if f.Lamp != "" {
		fmt.Fprintf(t.Out, "lamp     %s\n", f.Lamp)
	}
	if f.Disk != nil {
		fmt.Fprintf(t.Out, "disk     %s\n", f.Disk.Describe())
	}
	if f.NoSite != "" {
		fmt.Fprintf(t.Out, "site     %s\n", f.NoSite)
	}
	fmt.Fprintf(t.Out, "next     %s\n", f.nextStep())
}
