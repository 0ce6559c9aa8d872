package main

import (
	"encoding/hex"
	"sync"

	"kerb/agent/audit"
	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/counting/vision/health"
)

// condition is what the state message says of the agent's processes.
type condition struct {
	mu      sync.Mutex
	site    *config.Site
	book    book       // for its words about the policy
	audit   audit.Head // as the supervisor told
	board   *parcel.Board
	names   []cage.Wall
	speaker *parcel.Walls
	walls   map[int]*parcel.Walls
	alive   map[int]*parcel.Alive
}

func newCondition(site *config.Site, v verdict) *condition {
	return &condition{site: site, book: book{verdict: v}, walls: map[int]*parcel.Walls{}, alive: map[int]*parcel.Alive{}}
}

func (c *condition) own(r cage.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names, c.speaker = r.Walls, measured(r)
}

func (c *condition) heard(i int, a *parcel.Alive) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive[i] = a
}

func (c *condition) sight(i int) parcel.Sight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.alive[i]; a != nil {
		return a.Sight
	}
	return parcel.Sight{}
}

func (c *condition) measured(i int, w *parcel.Walls) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.walls[i] = w
}

func (c *condition) head(m *parcel.Head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.audit = audit.Head{Seq: m.Seq, Sum: hex.EncodeToString(m.Sum[:])}
}

func (c *condition) boardIs(m *parcel.Board) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.board = m
}

func (c *condition) report() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.book.report()
	if c.audit.Seq > 0 {
		out["audit"] = c.audit
	}
	if c.board != nil {
		out["board"] = boardWords(c.board)
	}
	walls, sensors := map[string]any{}, map[string]any{}
	if c.speaker != nil {
		walls["uplink"] = holding(c.speaker, c.names)
	}
	if w := c.walls[parcel.Supervisor]; w != nil {
		walls["supervisor"] = holding(w, c.names)
	}
	for i, name := range posted(c.site) {
		if w := c.walls[i]; w != nil {
			walls["sense "+name] = holding(w, c.names)
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
