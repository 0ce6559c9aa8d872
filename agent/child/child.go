// Package child is the child's side of kerb's processes: a small heap, the walls
// and the report on them, heartbeats, and the exit status of a refusal. Package
// process is the parent's side.
//
// The system's certificates are the only files that it opens. It refuses to run in
// walls that do not hold where site.toml says strict.
package child

import (
	"crypto/x509"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"kerb/agent/cage"
	"kerb/agent/ipc"
)

// ShrinkHeap makes the garbage collector run after 25 % of growth. Go's default
// of 100 % lets a heap grow to 4 MB before the first collection, which is much
// for a process that hardly allocates while it works.
func ShrinkHeap() { debug.SetGCPercent(gcPercent) }

// gcPercent is the growth of the heap between two collections, chosen by hand.
const gcPercent = 25

// LoadRootCAs reads the system's root certificates into memory if address is a
// URL over TLS. It must be called before the walls are raised, because they
// forbid opening files. Other addresses are spared the memory, some megabytes.
func LoadRootCAs(address string) {
	for _, scheme := range []string{"https://", "rtsps://", "mqtts://", "wss://"} {
		if strings.Contains(address, scheme) {
			_, _ = x509.SystemCertPool()
			return
		}
	}
}

// DropTime is a slog ReplaceAttr function that removes the time of a log line.
// The log of the service adds its own.
func DropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// RaiseWalls raises the walls of a role, measures them, and writes the report to
// standard output as the first record of the process. With strict, a wall that
// does not hold is a RefusedError; without, it is logged.
func RaiseWalls(r cage.Role, strict bool, log *slog.Logger) (cage.Report, error) {
	report, err := r.Apply()
	if err != nil {
		return report, err
	}
	if err := report.Strict(); err != nil {
		if strict {
			return report, RefusedError(err.Error())
		}
		log.Warn("walls are missing", "err", err)
	}
	debug.FreeOSMemory() // memory that only the start needed
	return report, ipc.WriteRecord(os.Stdout, PackWalls(report))
}

// PackWalls converts a report to its record. The walls keep the order of the
// cage's table, which is the same for every process of one binary.
func PackWalls(r cage.Report) *ipc.Walls {
	w := &ipc.Walls{Landlock: uint8(r.Landlock)}
	for i, one := range r.Walls[:min(len(r.Walls), ipc.MaxWalls)] {
		switch {
		case one.Holds:
			w.State[i] = ipc.WallHolds
		case one.Reason != "":
			w.State[i] = ipc.WallPermitted
		default:
			w.State[i] = ipc.WallOpen
		}
	}
	return w
}

// WallSummary is the entry of the state message and of the status for one process.
type WallSummary struct {
	Hold     int      `json:"hold"`     // number of walls that hold
	Open     []string `json:"open"`     // names of those that should and do not
	Landlock int      `json:"landlock"` // the kernel's ABI version; 0: it has none
}

// SummariseWalls returns the entry for one process. names are the walls of the cage's
// table.
func SummariseWalls(w *ipc.Walls, names []cage.Wall) WallSummary {
	hold, open := 0, []string{}
	for i, s := range w.State {
		switch {
		case s == ipc.WallHolds:
			hold++
		case s == ipc.WallOpen && i < len(names):
			open = append(open, names[i].Name)
		}
	}
	return WallSummary{hold, open, int(w.Landlock)}
}

// RefusedError is the error of a process that does not run inside walls that do
// not hold. Its exit status is ExitRefused.
type RefusedError string

// Error returns the reason.
func (e RefusedError) Error() string { return string(e) }

// ExitRefused is the exit status of a child process with a wall that does not
// hold where site.toml says strict. The parent does not start it again.
const ExitRefused = 3
