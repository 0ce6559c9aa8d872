package scene

import "math"

// walkPlan holds a person's state and intentions.
type walkPlan struct {
	state      walkState
	side       int     // the pavement it walks on: 0 left, 1 right
	laneX      float64 // x that it keeps to
	pauseEnd   float64 // end of a pause, s
	turnAt     float64 // y at which it stops or turns, or unreachableY
	turnsBack  bool    // it turns back there, otherwise it pauses
	crossAt    float64 // y at which it wants to cross, or unreachableY
	crossSlant float64 // y gained while crossing, m
	atSignal   bool    // it crosses at the signal
	crowd      gathering
}

// walkState is the state of a person's walk.
type walkState uint8

const (
	strolling walkState = iota
	pausing
	waiting      // at the kerb
	crossingRoad // the carriageway
	gathered     // of a crowd: at its spot, or on the way to it
	leaving      // of a crowd: on the way into a house
)

// unreachableY is a y beyond every street: the mark for an intention that a
// person does not have.
const unreachableY = 1e9

// How people walk. Chosen by hand.
const (
	abreast       = 0.62 // m between people of a group, side by side
	crossingHurry = 0.15 // m/s by which people walk faster on the carriageway
	gaitLength    = 1.42 // m of two steps
)

// isOnRoad reports whether the person is on the carriageway.
func (w *walkPlan) isOnRoad() bool { return w.state == crossingRoad }

// spawnGroup lets a group of one to four people in, who walk side by side. It
// reports false when no slot is free.
func (t *traffic) spawnGroup(dir float64) bool {
	c := &t.rng
	n := 1
	if c.trueWith(t.cond.Groups) {
		n = 2 + c.intBelow(2) + c.intBelow(2)
	}
	side := c.intBelow(2)
	low, high := t.street.walkableX(side)
	pace := clamp(1.35+float64(0.2*c.normFloat()), 0.8, 1.8)
	lane := c.floatIn(low, high)
	var plan walkPlan
	t.choosePlan(&plan, side)
	for i := range n {
		m := t.freeSlot()
		if m == nil {
			return i > 0
		}
		m.setKind(walker)
		m.dir = dir
		m.chooseLook(c, t.street, t.cond.Rain)
		m.walk = plan
		m.walk.laneX = clamp(lane+float64(abreast*float64(i)), low, high)
		m.walk.turnAt += c.floatIn(-0.4, 0.4)
		m.x = m.walk.laneX + c.floatIn(-0.05, 0.05)
		m.desiredSpeed = pace
		m.y = t.street.exitY(m.height) + c.floatIn(0, 0.4)
		if dir < 0 {
			m.y = t.street.farY - 2.5 - c.floatIn(0, 0.4)
		}
		if lane+float64(abreast*float64(i)) > high { // a second row
			m.y += c.floatIn(0.7, 0.9)
			m.walk.laneX = clamp(low+float64(abreast*float64(i)), low, high)
		}
		m.v, m.hy, m.gait = pace, dir, c.unitFloat()
	}
	return true
}

// walkableX returns the part of a pavement that people use.
func (s *street) walkableX(side int) (low, high float64) {
	if side == 0 {
		return s.wallX[0] + 0.5, -0.75
	}
	return s.width + 0.75, s.wallX[1] - 0.5
}

// choosePlan draws a person's intentions besides walking on.
func (t *traffic) choosePlan(w *walkPlan, side int) {
	c, s := &t.rng, t.street
	*w = walkPlan{side: side, turnAt: unreachableY, crossAt: unreachableY}
	switch {
	case c.trueWith(t.cond.Linger):
		w.turnAt = s.countY + float64(c.randomSign()*c.floatIn(1, 14))
		w.turnsBack = c.trueWith(0.4)
	case c.trueWith(t.cond.Stray):
		w.crossAt = s.countY + c.floatIn(-6, 12)
		w.crossSlant = c.floatIn(-4, 4)
	case t.cond.Red > 0 && c.trueWith(0.35):
		w.crossAt, w.atSignal = s.crossingY+c.floatIn(-1, 1), true
	}
}

// walkPerson moves a person by its state.
func (t *traffic) walkPerson(m *mover, dt float64) {
	w := &m.walk
	vx, vy := 0.0, 0.0
	switch w.state {
	case strolling:
		vy = float64(m.dir * m.desiredSpeed)
		vx = clamp(t.avoidanceSpeed(m)+float64(1.2*(w.laneX-m.x)), -0.5, 0.5)
		if low, high := t.street.walkableX(w.side); m.x < low && vx < 0 || m.x > high && vx > 0 {
			vx = 0
		}
		t.startPlanned(m, dt)
	case pausing:
		if t.now >= w.pauseEnd {
			w.state = strolling
		}
	case waiting:
		kerb := t.street.kerbX(w.side)
		if math.Abs(m.x-kerb) > 0.1 {
			vx = math.Copysign(min(m.desiredSpeed, 1), kerb-m.x)
		} else if t.acceptsGap(m) {
			w.state = crossingRoad
		}
	case gathered, leaving:
		vx, vy = t.crowdVelocity(m)
	case crossingRoad:
		goal := t.street.kerbX(1 - w.side)
		left := math.Abs(goal - m.x)
		vx = math.Copysign(m.desiredSpeed+crossingHurry, goal-m.x)
		vy = float64((m.desiredSpeed + crossingHurry) * w.crossSlant / t.street.width)
		if left < 0.15 {
			w.state, w.side = strolling, 1-w.side
			low, high := t.street.walkableX(w.side)
			w.laneX = t.rng.floatIn(low, high)
		}
	}
	m.applyVelocity(vx, vy, dt)
}

// applyVelocity approaches the wanted velocity with a time constant of 0.25 s,
// and moves the person.
func (m *mover) applyVelocity(vx, vy, dt float64) {
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
	m.gait += float64(m.v*dt) / (gaitLength * m.look.stature)
}

// kerbX returns the x at which people stand before the carriageway.
func (s *street) kerbX(side int) float64 {
	if side == 0 {
		return -0.3
	}
	return s.width + 0.3
}

// startPlanned starts an intention once m has reached its place: to pause, to
// turn back or to cross.
func (t *traffic) startPlanned(m *mover, dt float64) {
	w := &m.walk
	reached := func(y float64) bool {
		d := float64(m.dir * (m.y - y))
		return d >= 0 && d < float64(2*m.desiredSpeed*dt)+0.05
	}
	switch {
	case reached(w.turnAt):
		w.turnAt = unreachableY
		if w.turnsBack {
			m.dir = -m.dir
			low, high := t.street.walkableX(w.side)
			w.laneX = t.rng.floatIn(low, high)
		} else {
			w.state, w.pauseEnd = pausing, t.now+t.rng.floatIn(2, 25)
		}
	case reached(w.crossAt):
		w.crossAt = unreachableY
		w.state = waiting
	}
}

// acceptsGap reports whether a person may step onto the carriageway (gap
// acceptance): no vehicle arrives before the crossing ends. At the signal, red
// must last that long, and only vehicles within 1.5 s count.
func (t *traffic) acceptsGap(m *mover) bool {
	need := t.street.width / (m.desiredSpeed + crossingHurry)
	if m.walk.atSignal {
		red, left := t.signalRed()
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
			if !m.walk.atSignal || d < o.length/2+float64(o.v*1.5) {
				return false
			}
		}
	}
	return true
}

// avoidanceSpeed returns the sidestep from people ahead within 2.2 m who come
// towards m, stand, or walk slower, m/s.
func (t *traffic) avoidanceSpeed(m *mover) float64 {
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
		if o.v > 0.3 && o.dir == m.dir && o.desiredSpeed >= m.desiredSpeed {
			continue
		}
		push += math.Copysign(0.7, dx)
	}
	return push
}
