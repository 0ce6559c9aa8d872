package probe

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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

// found is what kerb probe found.
type Inventory struct {
	Machine  string           `json:"machine"`
	Model    string           `json:"model,omitempty"` // of the board
	Cores    int              `json:"cores"`
	Memory   uint64           `json:"memory_bytes"`
	Board    map[string]any   `json:"board,omitempty"`
	Clock    ClockFacts       `json:"clock"`
	Walls    []wallFacts      `json:"walls"`
	Devices  []string         `json:"devices"`
	Attached []attachedCamera `json:"attached,omitempty"` // cameras that site.toml may name
	GPIO     []attachedChip   `json:"gpio,omitempty"`
	Cameras  []cameraFacts    `json:"cameras,omitempty"` // those that it names
	Disk     *diskFacts       `json:"disk,omitempty"`
	NoSite   string           `json:"no_site,omitempty"` // why cameras and disk are not told
}

type ClockFacts struct {
	Wall   time.Time `json:"wall"`
	Synced bool      `json:"synced"`
	Source string    `json:"source"`
}

type wallFacts struct {
	Role     string   `json:"role"`
	Hold     int      `json:"hold"`
	Open     []string `json:"open"`
	Kernel   string   `json:"kernel"`
	Landlock int      `json:"landlock"`
}

type cameraFacts struct {
	Name        string `json:"name"`
	Source      string `json:"source"`
	Error       string `json:"error,omitempty"`
	Certificate string `json:"certificate,omitempty"` // the SHA-256 of the one that it shows
}

type diskFacts struct {
	State string `json:"state"`
	Free  uint64 `json:"free_bytes"`
	Error string `json:"error,omitempty"`
}

func SummariseWalls(r cage.Report) wallFacts {
	w := wallFacts{Role: r.Role, Kernel: r.Kernel, Landlock: r.Landlock, Open: []string{}}
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

// reach asks whether the camera is there, and nothing of it.
func TryCamera(ctx context.Context, c config.Camera) cameraFacts {
	f := cameraFacts{Name: c.Name, Source: c.Source.String()}
	if _, scene := c.Source.(config.SceneSource); scene {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	d := opener.New(c, policy.ClipPixels, (*exec.Cmd).Start, io.Discard, slog.New(slog.DiscardHandler))
	defer d.Close()
	files, err := d.OpenFiles(ctx, handover.RequestCamera)
	if err == nil && len(files) == 1 && c.Address().TLS {
		f.Certificate, err = certificateOf(ctx, files[0])
	}
	for _, file := range files {
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		f.Error = err.Error()
	}
	return f
}

// certificateOf is the one that a camera shows, whoever vouches for it: for
// certificate in site.toml.
func certificateOf(ctx context.Context, file *os.File) (string, error) {
	conn, err := net.FileConn(file)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // nothing is believed, nor sent
	if err := secure.HandshakeContext(ctx); err != nil {
		return "", fmt.Errorf("speak TLS with it: %w", err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(secure.ConnectionState().PeerCertificates[0].Raw)), nil
}

// room is the disk under a directory, or under the nearest one that exists.
func DiskSpace(dir string) *diskFacts {
	d := &diskFacts{State: dir}
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		d.Error = err.Error()
		return d
	}
	d.Free = fs.Bavail * uint64(fs.Bsize)
	return d
}

// nextStep is what to do about it.
func (f Inventory) nextStep() string {
	if f.NoSite != "" {
		return "kerb probe -write site.toml, then kerb check"
	}
	for _, c := range f.Cameras {
		if c.Error != "" {
			return "camera " + c.Name + " does not answer: mend that, then kerb check"
		}
	}
	return "kerb check"
}

func (f Inventory) printAttached(t terminal.Terminal) {
	for _, c := range f.Attached {
		fmt.Fprintf(t.Out, "attached %s: %s\n         source = %q\n", cmp.Or(c.Device, c.Source), c.Name, c.Source)
		fmt.Fprintf(t.Out, "         gives %s\n         kerb would take %s\n", strings.Join(c.Formats, ", "), c.Choice)
	}
	if len(f.Attached) == 0 {
		fmt.Fprintln(t.Out, "attached no camera")
	}
	for _, c := range f.GPIO {
		fmt.Fprintf(t.Out, "gpio     %s\n", c)
	}
}

func (f Inventory) Print(t terminal.Terminal) {
	fmt.Fprintf(t.Out, "machine  %s, %d cores, %d MB\n", cmp.Or(f.Model, f.Machine), f.Cores, f.Memory>>20)
	if b := f.Board; len(b) > 0 {
		text, _ := json.Marshal(b) // maps of numbers and words
		fmt.Fprintf(t.Out, "board    %s\n", strings.NewReplacer(`"`, "", "{", "", "}", "", ",", ", ", ":", " ").Replace(string(text)))
	}
	believed := "not believed: no time server has set it, and site.toml has no clock_floor that it is past"
	if f.Clock.Synced {
		believed = "believed: " + f.Clock.Source
	}
	fmt.Fprintf(t.Out, "clock    %s, %s\n", f.Clock.Wall.Format(time.RFC3339), believed)
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
		answer := "there"
		if c.Error != "" {
			answer = c.Error
		}
		fmt.Fprintf(t.Out, "camera   %-10s %s: %s\n", c.Name, c.Source, answer)
		if c.Certificate != "" {
			fmt.Fprintf(t.Out, "         certificate = %q\n", c.Certificate)
		}
	}
	if f.Disk != nil {
		fmt.Fprintf(t.Out, "disk     %s: %d MB free %s\n", f.Disk.State, f.Disk.Free>>20, f.Disk.Error)
	}
	if f.NoSite != "" {
		fmt.Fprintf(t.Out, "site     %s\n", f.NoSite)
	}
	fmt.Fprintf(t.Out, "next     %s\n", f.nextStep())
}
