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
	"kerb/counting/vision/health"
)

// condition is what the state message says of the agent's processes.
type condition struct {
	mu      sync.Mutex
	Site    *config.Site
	book    admission.Book // for its words about the policy
	audit   audit.Head     // as the supervisor told
	board   *ipc.Board
	names   []cage.Wall
	speaker *ipc.Walls
	walls   map[int]*ipc.Walls
	alive   map[int]*ipc.Alive
}

func NewCondition(site *config.Site, v admission.Verdict) *condition {
	return &condition{Site: site, book: admission.Book{Verdict: v}, walls: map[int]*ipc.Walls{}, alive: map[int]*ipc.Alive{}}
}

func (c *condition) Own(r cage.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names, c.speaker = r.Walls, child.Measured(r)
}

func (c *condition) Heard(i int, a *ipc.Alive) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive[i] = a
}

func (c *condition) Sight(i int) ipc.Sight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.alive[i]; a != nil {
		return a.Sight
	}
	return ipc.Sight{}
}

func (c *condition) measured(i int, w *ipc.Walls) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.walls[i] = w
}

func (c *condition) head(m *ipc.Head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.audit = audit.Head{Seq: m.Seq, Sum: hex.EncodeToString(m.Sum[:])}
}

func (c *condition) boardIs(m *ipc.Board) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.board = m
}

func (c *condition) Report() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.book.Report()
	if c.audit.Seq > 0 {
		out["audit"] = c.audit
	}
	if c.board != nil {
		out["board"] = hardware.BoardWords(c.board)
	}
	walls, sensors := map[string]any{}, map[string]any{}
	if c.speaker != nil {
		walls["uplink"] = child.Holding(c.speaker, c.names)
	}
	if w := c.walls[ipc.Supervisor]; w != nil {
		walls["supervisor"] = child.Holding(w, c.names)
	}
	for i, name := range posted(c.Site) {
		if w := c.walls[i]; w != nil {
			walls["sense "+name] = child.Holding(w, c.names)
		}
		if a := c.alive[i]; a != nil {
			one := map[string]any{
				"watching": a.Watching, "pictures": a.Pictures, "bad": a.Bad, "dropped": a.Dropped,
				"delay_ms": map[string]any{"p50": a.Usual.Milliseconds(), "p95": a.Slow.Milliseconds()},
			}
			if f := health.Fault(a.View); f != health.Good {
				one["fault"] = f.String()
			}
			sensors[name] = one
		}
	}
	out["walls"], out["sensors"] = walls, sensors
	return out
}
