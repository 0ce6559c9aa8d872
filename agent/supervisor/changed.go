package supervisor

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/state"
	"kerb/counting"
)

// changedSensors holds back the sensors that are declared otherwise than when they last
// counted, until the next window begins. Over a line that was moved, one passage could
// else be counted twice within a window, once before a reload or a restart and once
// after it, which costs it more than the policy grants. The declarations of the sensors that counted last are
// kept in a file, and replaced when the held ones begin: so a second restart, or a file
// that is put back, changes nothing. The zero value holds no sensor back.
type changedSensors struct {
	path string            // of state.CountedFile
	sums map[string]string // of this site, see config.Site.SensorSums
	held map[string]bool   // sensors whose tallies are gaps
}

// loadChanged compares the site with the file. Where there is none, as on a new device, it
// is written, and no sensor is held back. All are where it cannot be read or written.
func loadChanged(site *config.Site) (changedSensors, error) {
	c := changedSensors{path: filepath.Join(site.Device.State, state.CountedFile), sums: site.SensorSums(), held: map[string]bool{}}
	text, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = c.keep(); err == nil {
			return c, nil
		}
	}
	counted := strings.Fields(string(text))
	for sensor, sum := range c.sums {
		if err != nil || !slices.Contains(counted, sum) {
			c.held[sensor] = true
		}
	}
	return c, err
}

// keep writes the hashes of this site's sensors into the file.
func (c *changedSensors) keep() error {
	sums := slices.Sorted(maps.Values(c.sums))
	return state.Replace(c.path, []byte(strings.Join(slices.Compact(sums), "\n")+"\n"), "")
}

// names returns the sensors that are held back, sorted.
func (c *changedSensors) names() []string { return slices.Sorted(maps.Keys(c.held)) }

// holds reports whether the sensor of a stream is held back.
func (c *changedSensors) holds(st counting.Stream) bool { return c.held[st.Sensor] }

// release lets the held sensors count from end on, where a whole window of that length ends
// there: not where a step of the clock or a stop cut it. With an error they stay held.
func (c *changedSensors) release(end time.Time, window time.Duration) error {
	if len(c.held) == 0 || !end.Equal(end.Truncate(window)) {
		return nil
	}
	if err := c.keep(); err != nil {
		return err
	}
	clear(c.held)
	return nil
}
