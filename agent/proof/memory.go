package proof

import (
	"fmt"
	"os"
	"strings"
)

// processMemory is the writable memory of another process, read through
// /proc/PID/mem (proc_pid_mem(5)).
type processMemory struct {
	*os.File
	mappings []mapping
}

// mapping is one writable mapping, from its first address to the end.
type mapping struct {
	from, to int64
	noCore   bool // MADV_DONTDUMP is set (flag dd): kerb sets it for the arena of pictures
}

// largestMapping is the size in bytes above which a mapping is not searched: larger ones
// are address space that the Go runtime reserves and does not use.
const largestMapping = 1 << 30

// openMemory lists the writable mappings of a process and opens its memory. The kernel
// allows that to root, and to the same user for some processes (ptrace(2)).
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

// readMapping returns the present content of a mapping, up to the first page that
// cannot be read.
func (m *processMemory) readMapping(a mapping) []byte {
	b := make([]byte, a.to-a.from)
	n, _ := m.ReadAt(b, a.from)
	return b[:n]
}

// copyArena copies all mappings of the arena one after another, as fast as possible, so
// that they show about one instant.
func (m *processMemory) copyArena() (all [][]byte) {
	for _, a := range m.mappings {
		if a.noCore {
			all = append(all, m.readMapping(a))
		}
	}
	return all
}
