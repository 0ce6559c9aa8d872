package sensor

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/ipc"
)

// senseMemory is how much the process may still grow by once it is caged. A
// picture costs a few megabytes; a bomb meets this bound.
const SenseMemory = 768 << 20

// cageOf is what a process that sees this camera is held by.
func CageOf(c config.Camera) cage.SenseRole {
	role := cage.Sense().Handover().Memory(SenseMemory)
	if c.Feed() == config.DeviceFeed {
		role = role.Video()
	}
	return role
}

// whileAimed closes a camera that somebody aims.
func WhileAimed(aimed *atomic.Bool, closed func() string) func() string {
	return func() string {
		if aimed.Load() {
			return "aiming"
		}
		return closed()
	}
}

func Find(site *config.Site, name string) (config.Camera, bool) {
	for _, c := range site.Cameras {
		if c.Name == name {
			return c, true
		}
	}
	return config.Camera{}, false
}

// answer closes windows and pauses when it is told to, until nobody tells any
// more.
func Answer(in io.Reader, out io.Writer, s Counter, whole time.Duration, pause func(bool)) error {
	for {
		m, err := ipc.Read(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if p, ok := m.(*ipc.Pause); ok {
			pause(p.On)
			continue
		}
		c, ok := m.(*ipc.Cut)
		if !ok {
			return fmt.Errorf("told something else than to cut: %T", m)
		}
		if c.Last {
			s.Lose("stopped")
		}
		for i, t := range s.End(c.Mono, c.Start.Time(), c.End.Time(), whole) {
			if err := ipc.Write(out, ipc.Pack(c.N, i, t)); err != nil {
				return err
			}
		}
	}
}
