package proof

import (
	"fmt"
	"os"
	"strings"
)

// processMemory is what another process has written to or could.
type processMemory struct {
	*os.File
	areas []area
}

// area is one mapping of it.
type area struct {
	from, to int64
	arena    bool // left out of cores, as pictures are
}

// largestArea bounds what is looked at: more is reserved and not used.
const largestArea = 1 << 30

func openMemory(pid int) (*processMemory, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, err
	}
	m := &processMemory{File: f}
	var at *area // the mapping whose lines these are: proc_pid_smaps(5)
	for line := range strings.Lines(string(maps)) {
		var a area
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &a.from, &a.to, &mode); n == 3 {
			at = nil
			if strings.HasPrefix(mode, "rw") && a.to-a.from <= largestArea {
				m.areas = append(m.areas, a)
				at = &m.areas[len(m.areas)-1]
			}
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && at != nil {
			at.arena = strings.Contains(flags, " dd")
		}
	}
	return m, nil
}

// readArea is what stands in an area now. What is only reserved cannot be read.
func (m *processMemory) readArea(a area) []byte {
	b := make([]byte, a.to-a.from)
	n, _ := m.ReadAt(b, a.from)
	return b[:n]
}

// copyAreas are all areas of the arena, taken at about one time.
func (m *processMemory) copyAreas() (all [][]byte) {
	for _, a := range m.areas {
		if a.arena {
			all = append(all, m.readArea(a))
		}
	}
	return all
}
