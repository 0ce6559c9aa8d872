package hardware

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"kerb/agent/ipc"
	"kerb/drivers/board"
)

// lookAtBoard is how the board is, with the disk under a directory.
func ReadBoard(state string) *ipc.Board {
	var st unix.Stat_t
	_ = unix.Stat(state, &st) // without one, the disk's facts are missing
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

// boardWords is what the state message says of it.
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
		out["life_used_tenths"] = min(b.LifeTenths, 11)
	}
	if b.MemoryTotal > 0 {
		out["memory_bytes"], out["memory_free_bytes"] = b.MemoryTotal, b.MemoryFree
	}
	return out
}
