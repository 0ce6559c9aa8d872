package proof

import (
	"fmt"
	"os"
	"strings"
)

// processMemory is what another process has written to or could.
type processMemory struct {
	*os.File
	mappings []mapping
}

// mapping is one mapping of it.
type mapping struct {
	from, to int64
	noCore   bool // left out of cores, as pictures are
}

// largestMapping bounds what is looked at: more is reserved and not used.
const largestMapping = 1 << 30

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
	var at *mapping // the mapping whose lines these are: proc_pid_smaps(5)
	for line := range strings.Lines(string(maps)) {
		var a mapping
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &a.from, &a.to, &mode); n == 3 {
			at = nil
			if strings.HasPrefix(mode, "rw") && a.to-a.from <= largestMapping {
				m.mappings = append(m.mappings, a)
				at = &m.mappings[len(m.mappings)-1]
			}
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && at != nil {
			at.noCore = strings.Contains(flags, " dd")
		}
	}
	return m, nil
}

// readMapping is what stands in an area now. What is only reserved cannot be read.
func (m *processMemory) readMapping(a mapping) []byte {
	b := make([]byte, a.to-a.from)
	n, _ := m.ReadAt(b, a.from)
	return b[:n]
}

// copyArena are all areas of the arena, taken at about one time.
func (m *processMemory) copyArena() (all [][]byte) {
	for _, a := range m.mappings {
		if a.noCore {
			all = append(all, m.readMapping(a))
		}
	}
	return all
}
