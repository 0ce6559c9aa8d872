package scene

import "math"

// maxMovers is the most movers at once. Arrivals without a free slot wait, and
// are lost when more than four wait.
const maxMovers = 120

// traffic simulates all movers: vehicles follow lanes, their leader and the
// signal; people walk on the pavements and cross the carriageway.
type traffic struct {
	cond   *Conditions
	street *street
	rng    splitMix64
	now    float64 // s
	opened float64 // s, when the first picture was due; 0: not yet
	movers [maxMovers]mover
	queued [moverKinds][2]float64 // arrivals that wait for a place, per way
	actors []Actor                // of a script, in the first movers; nil: traffic as drawn
}

// advanceTime moves the traffic on by dt seconds.
func (t *traffic) advanceTime(dt float64) {
	t.now += dt
	if t.actors != nil {
		t.placeActors(dt)
		return
	}
	t.admitArrivals(dt)
	t.updateCrowd()
	for i := range t.movers {
		m := &t.movers[i]
		switch {
		case m.kind == noMover || m.parked:
			continue
		case m.kind == walker:
			t.walkPerson(m, dt)
		default:
			t.driveVehicle(m, dt)
		}
		if m.y > t.street.farY-2 || m.maxY() < t.street.exitY(m.height) {
			m.kind = noMover
		}
	}
}

// signalRed reports whether the signal is red for vehicles, and for how many
// seconds people may still walk.
func (t *traffic) signalRed() (bool, float64) {
	green, red := t.cond.Green.Seconds(), t.cond.Red.Seconds()
	if red == 0 {
		return false, 0
	}
	if green == 0 {
		return true, red
	}
	cycle := green + red
	at := t.now - float64(math.Floor(t.now/cycle)*cycle)
	return at > green, cycle - at
}

// Parameters of the intelligent driver model, in the order of the paper's T,
// s0, a and b, and two of our own. Near the paper's values for a city; chosen
// by hand.
const (
	timeHeadway       = 1.3 // s
	standingGap       = 2.0 // m, between standing vehicles
	carAcceleration   = 1.5 // m/s²
	heavyAcceleration = 0.9 // m/s², of buses and lorries
	comfortBraking    = 2.2 // m/s²
	hardestBraking    = 7   // m/s², the limit of tyres
	brakeLightFrom    = 0.6 // m/s² of braking
	pedalLength       = 4.5 // m for one turn of a bicycle's pedals
)

// driveVehicle moves a vehicle by the intelligent driver model (Treiber,
// Hennecke, Helbing, Physical Review E 62, 2000), with acceleration exponent 4
// and an Euler step for the speed.
func (t *traffic) driveVehicle(m *mover, dt float64) {
	gap, ahead := t.leaderGap(m)
	speedUp := carAcceleration
	if m.kind == bus || m.kind == lorry {
		speedUp = heavyAcceleration
	}
	r := m.v / m.desiredSpeed
	free := 1 - float64(float64(r*r)*float64(r*r))
	closing := m.v - ahead
	safe := standingGap + max(0, float64(m.v*timeHeadway)+float64(m.v*closing)/(2*math.Sqrt(float64(speedUp*comfortBraking))))
	q := safe / max(gap, 0.1)
	a := max(-hardestBraking, float64(speedUp*(free-float64(q*q))))
	m.braking = a < -brakeLightFrom || m.v < 0.1
	v := max(0, m.v+float64(a*dt))
	if v < 0.05 && a < 0 {
		v = 0
	}
	d := float64((m.v + v) * dt / 2)
	m.v = v
	m.y += float64(m.dir * d)
	m.gait += d / pedalLength
}

const (
	freeGap     = 200 // m, before a vehicle without a leader
	stopBraking = 3.5 // m/s², the hardest braking for a signal
)

// leaderGap returns the free distance before a vehicle, m, and the speed of its
// leader, m/s. The leader is the nearest of a vehicle in the same lane, a
// person on the carriageway, or the stop line at red. A driver who could stop
// only harder than 3.5 m/s² passes the stop line.
func (t *traffic) leaderGap(m *mover) (gap, ahead float64) {
	gap = freeGap
	nose := m.y + float64(m.dir*m.length/2)
	if red, _ := t.signalRed(); red {
		d := float64(m.dir * (t.street.stopLineY(m.dir) - nose))
		if d > -0.5 && (d > float64(m.v*m.v)/(2*stopBraking) || m.v < 1) {
			gap = d + 1.6 // drivers keep standingGap from a car, but 0.4 m from a stop line
		}
	}
	for i := range t.movers {
		o := &t.movers[i]
		if o == m || o.kind == noMover || o.parked {
			continue
		}
		if o.kind == walker {
			if !o.walk.isOnRoad() || math.Abs(o.x-m.x) > m.width/2+1.2 {
				continue
			}
		} else if o.dir != m.dir || math.Abs(o.x-m.x) > (o.width+m.width)/2-0.1 {
			continue
		}
		d := float64(m.dir*(o.y-m.y)) - (m.length+o.length)/2
		if float64(m.dir*(o.y-m.y)) > 0 && d < gap {
			gap, ahead = max(d, 0.1), o.v
			if o.kind == walker {
				ahead = 0
			}
		}
	}
	return gap, ahead
}

// admitArrivals draws the arrivals of a step, a Bernoulli trial per kind and
// direction (close to a Poisson process), and lets the waiting ones in.
func (t *traffic) admitArrivals(dt float64) {
	c := t.cond
	rates := [...]struct {
		kind moverKind
		rate float64
	}{{walker, c.People}, {cyclist, c.Bicycles}, {motorcyclist, c.Motorcycles}, {saloon, c.Cars}, {bus, c.Heavy}}
	for _, r := range rates {
		if c.Crowd.People > 0 && r.kind != walker {
			continue
		}
		for way := range 2 {
			due := &t.queued[r.kind][way]
			p := float64(r.rate * dt / 120)
			if r.kind == walker { // a group is one arrival
				p = p / (1 + float64(1.5*c.Groups))
			}
			if t.rng.trueWith(p) {
				*due = min(*due+1, 4)
			}
			if *due >= 1 && t.spawnMover(r.kind, float64(1-2*way)) {
				*due--
			}
		}
	}
}

// spawnMover puts an arrival at its end of the street. It reports false while
// there is no room.
func (t *traffic) spawnMover(k moverKind, dir float64) bool {
	if k == walker {
		return t.spawnGroup(dir)
	}
	m := t.freeSlot()
	if m == nil {
		return false
	}
	switch k {
	case saloon:
		k = [...]moverKind{hatchback, hatchback, saloon, saloon, estate, van}[t.rng.intBelow(6)]
	case bus:
		k = [...]moverKind{bus, lorry}[t.rng.intBelow(2)]
	}
	m.setKind(k)
	m.dir, m.hx, m.hy = dir, 0, dir
	m.chooseLook(&t.rng, t.street, t.cond.Rain)
	m.desiredSpeed = float64(t.cond.Speed * t.rng.floatIn(0.8, 1.2))
	m.x = t.street.laneX(dir) + t.rng.floatIn(-0.2, 0.2)
	if k == cyclist {
		m.desiredSpeed = min(m.desiredSpeed, t.rng.floatIn(3.2, 6.5))
		m.x = t.street.bicycleX(dir) + t.rng.floatIn(-0.15, 0.15)
	}
	m.y = t.street.exitY(m.height) - m.length/2 + 0.1
	if dir < 0 {
		m.y = t.street.farY - 2.1
	}
	m.v = m.desiredSpeed
	gap, ahead := t.leaderGap(m)
	if gap < 3+m.v {
		m.v = min(m.v, ahead)
	}
	if gap < 3+float64(0.8*m.v) || t.isOccupied(m) {
		m.kind = noMover
		return false
	}
	return true
}

// isOccupied reports whether another vehicle of the lane overlaps m, with 1.5 m
// to spare.
func (t *traffic) isOccupied(m *mover) bool {
	for i := range t.movers {
		o := &t.movers[i]
		if o != m && o.kind > walker && o.dir == m.dir && math.Abs(o.x-m.x) < (o.width+m.width)/2 &&
			math.Abs(o.y-m.y) < (o.length+m.length)/2+1.5 {
			return true
		}
	}
	return false
}

// freeSlot returns an unused mover, cleared, or nil.
func (t *traffic) freeSlot() *mover {
	for i := range t.movers {
		if t.movers[i].kind == noMover {
			t.movers[i] = mover{}
			return &t.movers[i]
		}
	}
	return nil
}

// setKind gives a mover its kind, and the size of that kind.
func (m *mover) setKind(k moverKind) {
	m.kind = k
	m.bodySize = bodySizes[k]
	m.directLight = 1
}

// parkVehicles fills the parking bay.
func (t *traffic) parkVehicles() {
	s := t.street
	if s.bayWidth == 0 {
		return
	}
	// No vehicle parks where it would hide the counting lines.
	for y := s.countY + t.rng.floatIn(4.5, 8); y < s.farY-8; y += t.rng.floatIn(5.8, 9) {
		if math.Abs(y-s.crossingY) > 6 {
			t.parkVehicleAt(y)
		}
	}
}

// parkVehicleAt parks a random car at y, with probability 0.8.
func (t *traffic) parkVehicleAt(y float64) {
	if !t.rng.trueWith(0.8) {
		return
	}
	m := t.freeSlot()
	if m == nil {
		return
	}
	m.setKind([...]moverKind{hatchback, saloon, estate, van}[t.rng.intBelow(4)])
	m.chooseLook(&t.rng, t.street, 0)
	m.dir = 1
	if t.street.keepLeft {
		m.dir = -1
	}
	m.hy = m.dir
	m.x, m.y, m.parked = t.street.width-1.05+t.rng.floatIn(-0.1, 0.1), y, true
}
