// Package hardware reads the health of the board (temperature, throttling, memory,
// wear and errors of the disk) and converts it to the fixed record of package ipc and
// to the keys of the state message.
//
// It refuses to guess: a fact that the kernel does not give is absent. It reads /sys
// and asks the kernel, and opens no device.
package hardware

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"kerb/agent/ipc"
	"kerb/drivers/board"
)

// ReadBoard reads the present health of the board, and of the disk that holds the
// directory state. Temperatures are in millidegrees Celsius and memory in bytes.
func ReadBoard(state string) *ipc.Board {
	var st unix.Stat_t
	_ = unix.Stat(state, &st) // after an error the device number is 0, and the disk's facts are absent
	dev := uint64(st.Dev)
	h := board.ReadHealth(os.DirFS("/sys"), fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev)))
	m := &ipc.Board{Throttled: uint32(h.Throttled), WrittenBytes: h.Written, Errors: h.Errors, LifeTenths: h.Life}
	if h.HasTemperature {
		m.KnownFields |= ipc.BoardTemperature
		m.MilliCelsius = int64(math.Round(h.Temperature * 1000))
	}
	if h.HasThrottled {
		m.KnownFields |= ipc.BoardThrottled
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.MemoryTotal = uint64(info.Totalram) * uint64(info.Unit)
		m.MemoryFree = uint64(info.Freeram+info.Bufferram) * uint64(info.Unit)
	}
	return m
}

// maxLife is the largest value of an eMMC's estimate of used life in tenths: 11 means
// that the rated life is exceeded (JEDEC JESD84-B51, DEVICE_LIFE_TIME_EST).
const maxLife = 11

// DescribeBoard returns the facts of b under the keys of the state message (board in
// state.schema.json). A fact that is unknown has no key.
func DescribeBoard(b *ipc.Board) map[string]any {
	out := map[string]any{}
	if b.KnownFields&ipc.BoardTemperature != 0 {
		out["temperature_c"] = float64(b.MilliCelsius/100) / 10
	}
	if b.KnownFields&ipc.BoardThrottled != 0 {
		t := board.Throttle(b.Throttled)
		out["throttled"], out["throttled_since_start"] = t.ActiveFlags(), t.PastFlags()
	}
	if b.WrittenBytes > 0 {
		out["written_bytes"], out["disk_errors"] = b.WrittenBytes, b.Errors
	}
	if b.LifeTenths > 0 {
		out["life_used_tenths"] = min(b.LifeTenths, maxLife)
	}
	if b.MemoryTotal > 0 {
		out["memory_bytes"], out["memory_free_bytes"] = b.MemoryTotal, b.MemoryFree
	}
	return out
}
