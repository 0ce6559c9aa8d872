package scene

import "math"

// walk is what a person has in mind.
type walk struct {
	doing  doing
	side   int     // the pavement it walks on: 0 left, 1 right
	lane   float64 // x that it keeps to
	until  float64 // end of a pause, s
	turnAt float64 // y at which it stops or turns, or never
	turns  bool    // it turns back there, otherwise it pauses
	cross  float64 // y at which it wants to cross, or never
	slant  float64 // y gained while crossing, m
	signal bool    // it crosses at the signal
}

type doing uint8

const (
	strolling doing = iota
	pausing
	waiting  // at the kerb
	crossing // the carriageway
)

const never = 1e9 // a y that nobody reaches

func (w *walk) onRoad() bool { return w.doing == crossing }

// party lets one to four people in who walk side by side.
func (t *traffic) party(dir float64) bool {
	c := &t.chance
	n := 1
	if c.yes(t.cond.Groups) {
		n = 2 + c.below(2) + c.below(2)
	}
	side := c.below(2)
	low, high := t.street.pavement(side)
	pace := clamp(1.35+float64(0.2*c.bell()), 0.8, 1.8)
	lane := c.between(low, high)
	var plan walk
	t.intend(&plan, side)
	for i := range n {
		m := t.free()
		if m == nil {
			return i > 0
		}
		m.be(walker)
		m.dir = dir
		m.dress(c, t.street, t.cond.Rain)
		m.walk = plan
		m.walk.lane = clamp(lane+float64(0.62*float64(i)), low, high)
		m.walk.turnAt += c.between(-0.4, 0.4)
		m.x = m.walk.lane + c.between(-0.05, 0.05)
		m.want = pace
		m.y = t.street.exit(m.height) + c.between(0, 0.4)
		if dir < 0 {
			m.y = t.street.far - 2.5 - c.between(0, 0.4)
		}
		if lane+float64(0.62*float64(i)) > high { // a second row
			m.y += c.between(0.7, 0.9)
			m.walk.lane = clamp(low+float64(0.62*float64(i)), low, high)
		}
		m.v, m.hy, m.gait = pace, dir, c.unit()
	}
	return true
}

// pavement is the part of a pavement that people use.
func (s *street) pavement(side int) (low, high float64) {
	if side == 0 {
		return s.wall[0] + 0.5, -0.75
	}
	return s.width + 0.75, s.wall[1] - 0.5
}

// intend draws what a walk holds besides walking on.
func (t *traffic) intend(w *walk, side int) {
	c, s := &t.chance, t.street
	*w = walk{side: side, turnAt: never, cross: never}
	switch {
	case c.yes(t.cond.Linger):
		w.turnAt = s.counted + float64(c.sign()*c.between(1, 14))
		w.turns = c.yes(0.4)
	case c.yes(t.cond.Stray):
		w.cross = s.counted + c.between(-6, 12)
		w.slant = c.between(-4, 4)
	case t.cond.Red > 0 && c.yes(0.35):
		w.cross, w.signal = s.crossing+c.between(-1, 1), true
	}
}

// stroll moves a person on.
func (t *traffic) stroll(m *mover, dt float64) {
	w := &m.walk
	vx, vy := 0.0, 0.0
	switch w.doing {
	case strolling:
		vy = float64(m.dir * m.want)
		vx = clamp(t.avoid(m)+float64(1.2*(w.lane-m.x)), -0.5, 0.5)
		if low, high := t.street.pavement(w.side); m.x < low && vx < 0 || m.x > high && vx > 0 {
			vx = 0
		}
		t.decide(m, dt)
	case pausing:
		if t.now >= w.until {
			w.doing = strolling
		}
	case waiting:
		kerb := t.street.kerb(w.side)
		if math.Abs(m.x-kerb) > 0.1 {
			vx = math.Copysign(min(m.want, 1), kerb-m.x)
		} else if t.clear(m) {
			w.doing = crossing
		}
	case crossing:
		goal := t.street.kerb(1 - w.side)
		left := math.Abs(goal - m.x)
		vx = math.Copysign(m.want+0.15, goal-m.x)
		vy = float64((m.want + 0.15) * w.slant / t.street.width)
		if left < 0.15 {
			w.doing, w.side = strolling, 1-w.side
			low, high := t.street.pavement(w.side)
			w.lane = t.chance.between(low, high)
		}
	}
	m.push(vx, vy, dt)
}

// push changes a person's velocity as fast as a body can, and its place.
func (m *mover) push(vx, vy, dt float64) {
	k := min(1, float64(4*dt))
	cx, cy := lerp(float64(m.hx*m.v), vx, k), lerp(float64(m.hy*m.v), vy, k)
	m.v = math.Sqrt(float64(cx*cx) + float64(cy*cy))
	if m.v > 0.05 {
		m.hx, m.hy = cx/m.v, cy/m.v
	} else if vx == 0 && vy == 0 {
		m.v, cx, cy = 0, 0, 0
	}
	m.x += float64(cx * dt)
	m.y += float64(cy * dt)
	m.gait += float64(m.v*dt) / (1.42 * m.look.stature)
}

// kerb is the x at which one stands before the carriageway.
func (s *street) kerb(side int) float64 {
	if side == 0 {
		return -0.3
	}
	return s.width + 0.3
}

// decide starts what was intended once its place is reached.
func (t *traffic) decide(m *mover, dt float64) {
	w := &m.walk
	reached := func(y float64) bool {
		d := float64(m.dir * (m.y - y))
		return d >= 0 && d < float64(2*m.want*dt)+0.05
	}
	switch {
	case reached(w.turnAt):
		w.turnAt = never
		if w.turns {
			m.dir = -m.dir
			low, high := t.street.pavement(w.side)
			w.lane = t.chance.between(low, high)
		} else {
			w.doing, w.until = pausing, t.now+t.chance.between(2, 25)
		}
	case reached(w.cross):
		w.cross = never
		w.doing = waiting
	}
}

// clear tells whether a person may set foot on the carriageway.
func (t *traffic) clear(m *mover) bool {
	need := t.street.width / (m.want + 0.15)
	if m.walk.signal {
		red, left := t.red()
		if !red || left < need {
			return false
		}
	}
	for i := range t.movers {
		o := &t.movers[i]
		if o.kind <= walker || o.parked {
			continue
		}
		d := float64(o.dir * (m.y - o.y)) // before the vehicle
		if d > -o.length/2-1 && d < o.length/2+2+float64(o.v*need) {
			if !m.walk.signal || d < o.length/2+float64(o.v*1.5) {
				return false
			}
		}
	}
	return true
}

// avoid is the sidestep from who comes towards or walks slower, m/s.
func (t *traffic) avoid(m *mover) float64 {
	push := 0.0
	for i := range t.movers {
		o := &t.movers[i]
		if o == m || o.kind != walker {
			continue
		}
		ahead := float64(m.dir * (o.y - m.y))
		dx := m.x - o.x
		if ahead < 0 || ahead > 2.2 || math.Abs(dx) > 0.55 {
			continue
		}
		if o.v > 0.3 && o.dir == m.dir && o.want >= m.want {
			continue
		}
		push += math.Copysign(0.7, dx)
	}
	return push
}
