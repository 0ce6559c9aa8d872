package publisher

import (
	"encoding/hex"
	"sync"

	"kerb/agent/admission"
	"kerb/agent/audit"
	"kerb/agent/cage"
	"kerb/agent/child"
	"kerb/agent/config"
	"kerb/agent/hardware"
	"kerb/agent/ipc"
	"kerb/counting"
)

// deviceState is what the state message says of the agent's processes.
type deviceState struct {
	mu      sync.Mutex
	Site    *config.Site
	book    admission.Journal // for its words about the policy
	audit   audit.Head        // as the supervisor told
	board   *ipc.Board
	names   []cage.Wall
	speaker *ipc.Walls
	walls   map[int]*ipc.Walls
	alive   map[int]*ipc.Heartbeat
}

func newDeviceState(site *config.Site, v admission.Decision) *deviceState {
	return &deviceState{Site: site, book: admission.Journal{Decision: v}, walls: map[int]*ipc.Walls{}, alive: map[int]*ipc.Heartbeat{}}
}

func (c *deviceState) setOwnWalls(r cage.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names, c.speaker = r.Walls, child.PackWalls(r)
}

func (c *deviceState) setHeartbeat(i int, a *ipc.Heartbeat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive[i] = a
}

func (c *deviceState) detection(i int) ipc.Detection {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.alive[i]; a != nil {
		return a.Detection
	}
	return ipc.Detection{}
}

func (c *deviceState) setWalls(i int, w *ipc.Walls) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.walls[i] = w
}

func (c *deviceState) setAuditHead(m *ipc.AuditHead) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.audit = audit.Head{Seq: m.Seq, Sum: hex.EncodeToString(m.Sum[:])}
}

func (c *deviceState) setBoard(m *ipc.Board) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.board = m
}

func (c *deviceState) Report() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.book.StateReport()
	if c.audit.Seq > 0 {
		out["audit"] = c.audit
	}
	if c.board != nil {
		out["board"] = hardware.DescribeBoard(c.board)
	}
	walls, sensors := map[string]any{}, map[string]any{}
	if c.speaker != nil {
		walls["uplink"] = child.SummariseWalls(c.speaker, c.names)
	}
	if w := c.walls[ipc.Supervisor]; w != nil {
		walls["supervisor"] = child.SummariseWalls(w, c.names)
	}
	for i, name := range sensorNames(c.Site) {
		if w := c.walls[i]; w != nil {
			walls["sense "+name] = child.SummariseWalls(w, c.names)
		}
		if a := c.alive[i]; a != nil {
			one := map[string]any{
				"watching": a.Watching, "pictures": a.Pictures, "bad": a.Bad, "dropped": a.Dropped,
				"delay_ms": map[string]any{"p50": a.LatencyP50.Milliseconds(), "p95": a.LatencyP95.Milliseconds()},
			}
			if f := counting.ViewFault(a.View); f != counting.ViewGood {
				one["fault"] = f.String()
			}
			sensors[name] = one
		}
	}
	out["walls"], out["sensors"] = walls, sensors
	return out
}
