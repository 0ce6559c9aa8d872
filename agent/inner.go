package main

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/parcel"
)

// inner is what the processes within kerb run have in common.
type inner struct {
	files
	Quiet  bool   `help:"Log warnings only."`
	Agreed string `help:"What the two files were when kerb run read them."`
}

// args are the words that make a process read the same files.
func (i inner) args() []string {
	args := []string{"--site", i.Site, "--policy", i.Policy, "--agreed", i.Agreed}
	if i.Quiet {
		args = append(args, "--quiet")
	}
	return args
}

// agree is a name for what site.toml says and which policy is in force.
func (f files) agree(v verdict) (string, error) {
	b, err := os.ReadFile(f.Site)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(append(b, v.policy.Hash()...))), nil
}

// enter reads the files, which must still be what the supervisor read: both
// sides name a stream by its place in them.
func (i inner) enter() (*config.Site, verdict, *slog.Logger, error) {
	lean()
	// The supervisor ends its processes; a terminal's signal is for it alone.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	site, v, err := i.load()
	if err != nil {
		return nil, v, nil, err
	}
	now, err := i.agree(v)
	if err != nil {
		return nil, v, nil, err
	}
	if now != i.Agreed {
		return nil, v, nil, errors.New("site.toml or policy.toml changed since kerb run read them: restart kerb")
	}
	return site, v, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: i.level(), ReplaceAttr: timeless})), nil
}

// lean keeps a process small that allocates next to nothing while it works: Go
// would let its heap grow to 4 MB before it looks at it for the first time.
func lean() { debug.SetGCPercent(25) }

// trust reads whom the system believes, if the address will need it:
// certificates are files, and behind walls there are none. They are some
// megabytes.
func trust(address string) {
	for _, scheme := range []string{"https://", "rtsps://", "mqtts://", "wss://"} {
		if strings.Contains(address, scheme) {
			_, _ = x509.SystemCertPool()
			return
		}
	}
}

func (i inner) level() slog.Level {
	if i.Quiet {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// timeless leaves out the time, which whoever keeps the log adds.
func timeless(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// wall builds the walls of a role and tells the supervisor what holds.
func wall(r cage.Role, strict bool, log *slog.Logger) (cage.Report, error) {
	report, err := r.Apply()
	if err != nil {
		return report, err
	}
	if err := report.Strict(); err != nil {
		if strict {
			return report, refusedError(err.Error())
		}
		log.Warn("walls are missing", "err", err)
	}
	debug.FreeOSMemory() // what the start took and the work will not
	return report, parcel.Write(os.Stdout, measured(report))
}

// measured is a report as numbers. Its walls are in the order of the cage's
// table, which every kerb of one build has.
func measured(r cage.Report) *parcel.Walls {
	w := &parcel.Walls{Landlock: uint8(r.Landlock)}
	for i, one := range r.Walls[:min(len(r.Walls), parcel.MaxWalls)] {
		switch {
		case one.Holds:
			w.State[i] = parcel.Holds
		case one.May != "":
			w.State[i] = parcel.May
		default:
			w.State[i] = parcel.Open
		}
	}
	return w
}

// holding is what the state message says of one process's walls: how many
// hold, and which should and do not.
func holding(w *parcel.Walls, names []cage.Wall) map[string]any {
	hold, open := 0, []string{}
	for i, s := range w.State {
		switch {
		case s == parcel.Holds:
			hold++
		case s == parcel.Open && i < len(names):
			open = append(open, names[i].Name)
		}
	}
	return map[string]any{"hold": hold, "open": open, "landlock": w.Landlock}
}
