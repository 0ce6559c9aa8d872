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

// lean keeps a process small that allocates next to nothing while it works: Go
// would let its heap grow to 4 MB before it looks at it for the first time.
func ShrinkHeap() { debug.SetGCPercent(25) }

// trust reads whom the system believes, if the address will need it:
// certificates are files, and behind walls there are none. They are some
// megabytes.
func LoadRootCAs(address string) {
	for _, scheme := range []string{"https://", "rtsps://", "mqtts://", "wss://"} {
		if strings.Contains(address, scheme) {
			_, _ = x509.SystemCertPool()
			return
		}
	}
}

// timeless leaves out the time, which whoever keeps the log adds.
func DropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// wall builds the walls of a role and tells the supervisor what holds.
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
	debug.FreeOSMemory() // what the start took and the work will not
	return report, ipc.Write(os.Stdout, PackWalls(report))
}

// measured is a report as numbers. Its walls are in the order of the cage's
// table, which every kerb of one build has.
func PackWalls(r cage.Report) *ipc.Walls {
	w := &ipc.Walls{Landlock: uint8(r.Landlock)}
	for i, one := range r.Walls[:min(len(r.Walls), ipc.MaxWalls)] {
		switch {
		case one.Holds:
			w.State[i] = ipc.Holds
		case one.Reason != "":
			w.State[i] = ipc.May
		default:
			w.State[i] = ipc.Open
		}
	}
	return w
}

// holding is what the state message says of one process's walls: how many
// hold, and which should and do not.
func SummariseWalls(w *ipc.Walls, names []cage.Wall) map[string]any {
	hold, open := 0, []string{}
	for i, s := range w.State {
		switch {
		case s == ipc.Holds:
			hold++
		case s == ipc.Open && i < len(names):
			open = append(open, names[i].Name)
		}
	}
	return map[string]any{"hold": hold, "open": open, "landlock": w.Landlock}
}

// refusedError is a process that will not run inside too weak walls.
type RefusedError string

func (e RefusedError) Error() string { return string(e) }

// ExitRefused is the exit status of a child process that found a wall open
// where site.toml asks for strict.
const ExitRefused = 3
