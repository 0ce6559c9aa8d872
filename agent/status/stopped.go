package status

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// NewStopped returns the status of a device on which no agent answers: what its files
// tell. refused is why an agent would not start; nil where it would.
func NewStopped(d Device, u Uplink, refused error, now time.Time) *Status {
	s := &Status{Schema: Schema, At: now.UTC().Truncate(time.Second), Device: d, Uplink: u}
	s.assess(refused)
	return s
}

// ReadDisk returns the free space where the state directory lies, nil where it cannot
// be read.
func ReadDisk(stateDir string) *Disk {
	var fs unix.Statfs_t
	if err := unix.Statfs(stateDir, &fs); err != nil {
		return nil
	}
	return &Disk{State: stateDir, Free: fs.Bavail * uint64(fs.Bsize)}
}

// assessStopped adds that the agent does not run, and what to do.
func (s *Status) assessStopped(refused error) {
	what, do := "does not run", "systemctl start kerb; journalctl -u kerb tells why it ended"
	if refused != nil {
		first, _, _ := strings.Cut(refused.Error(), "\n")
		what, do = what+": "+first, "kerb check lists every mistake; mend them, then systemctl start kerb"
		if errors.Is(refused, fs.ErrNotExist) {
			do = "-site FILE and -policy FILE name the files of a kerb that was started with others"
		}
	}
	s.add("kerb", what, do)
}
