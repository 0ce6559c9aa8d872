package scene

import "math"

// crowd is most movers at once; who finds no place stays away.
const crowd = 120

// traffic moves everybody: vehicles follow lanes, each other and the signal;
// people walk on the pavements and cross the carriageway.
type traffic struct {
	cond   *Conditions
	street *street
	chance chance
	now    float64 // s
	movers [crowd]mover
	due    [kinds][2]float64 // arrivals that wait for a place, per way
}

// step moves on by dt seconds.
func (t *traffic) step(dt float64) {
	t.now += dt
	t.arrive(dt)
	for i := range t.movers {
		m := &t.movers[i]
		switch {
		case m.kind == nobody || m.parked:
			continue
		case m.kind == walker:
			t.stroll(m, dt)
		default:
			t.drive(m, dt)
		}
		if m.y > t.street.far-2 || m.front() < t.street.exit(m.height) {
			m.kind = nobody
		}
	}
}

// red tells whether vehicles must stop, and for how long people may walk.
func (t *traffic) red() (bool, float64) {
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

// drive follows the intelligent driver model (Treiber, Hennecke, Helbing,
// Physical Review E 62, 2000): wanted speed, 1.3 s headway, 2 m when standing.
func (t *traffic) drive(m *mover, dt float64) {
	const headway, standing, comfort = 1.3, 2.0, 2.2
	gap, ahead := t.gap(m)
	speedUp := 1.5
	if m.kind == bus || m.kind == lorry {
		speedUp = 0.9
	}
	r := m.v / m.want
	free := 1 - float64(float64(r*r)*float64(r*r))
	closing := m.v - ahead
	safe := standing + max(0, float64(m.v*headway)+float64(m.v*closing)/(2*math.Sqrt(float64(speedUp*comfort))))
	q := safe / max(gap, 0.1)
	a := max(-7, float64(speedUp*(free-float64(q*q))))
	m.braked = a < -0.6 || m.v < 0.1
	v := max(0, m.v+float64(a*dt))
	if v < 0.05 && a < 0 {
		v = 0
	}
	d := float64((m.v + v) * dt / 2)
	m.v = v
	m.y += float64(m.dir * d)
	m.gait += d / 4.5
}

// gap is the free way before a vehicle and the speed of what ends it.
func (t *traffic) gap(m *mover) (gap, ahead float64) {
	gap = 200
	nose := m.y + float64(m.dir*m.length/2)
	if red, _ := t.red(); red {
		d := float64(m.dir * (t.street.stop(m.dir) - nose))
		if d > -0.5 && (d > float64(m.v*m.v)/7 || m.v < 1) {
			gap = d + 1.6 // a standing driver keeps 2 m from a car but not from a line
		}
	}
	for i := range t.movers {
		o := &t.movers[i]
		if o == m || o.kind == nobody || o.parked {
			continue
		}
		if o.kind == walker {
			if !o.walk.onRoad() || math.Abs(o.x-m.x) > m.width/2+1.2 {
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

// arrive lets the share of a step's arrivals in, at either end.
func (t *traffic) arrive(dt float64) {
	c := t.cond
	rates := [...]struct {
		kind kind
		rate float64
	}{{walker, c.People}, {cyclist, c.Bicycles}, {biker, c.Motorcycles}, {saloon, c.Cars}, {bus, c.Heavy}}
	for _, r := range rates {
		for way := range 2 {
			due := &t.due[r.kind][way]
			p := float64(r.rate * dt / 120)
			if r.kind == walker { // a group is one arrival
				p = p / (1 + float64(1.5*c.Groups))
			}
			if t.chance.yes(p) {
				*due = min(*due+1, 4)
			}
			if *due >= 1 && t.enter(r.kind, float64(1-2*way)) {
				*due--
			}
		}
	}
}

// enter puts an arrival at the end where it comes from; it fails while there
// is no place.
func (t *traffic) enter(k kind, dir float64) bool {
	if k == walker {
		return t.party(dir)
	}
	m := t.free()
	if m == nil {
		return false
	}
	switch k {
	case saloon:
		k = [...]kind{hatchback, hatchback, saloon, saloon, estate, van}[t.chance.below(6)]
	case bus:
		k = [...]kind{bus, lorry}[t.chance.below(2)]
	}
	m.be(k)
	m.dir, m.hx, m.hy = dir, 0, dir
	m.dress(&t.chance, t.street, t.cond.Rain)
	m.want = float64(t.cond.Speed * t.chance.between(0.8, 1.2))
	m.x = t.street.lane(dir) + t.chance.between(-0.2, 0.2)
	if k == cyclist {
		m.want = min(m.want, t.chance.between(3.2, 6.5))
		m.x = t.street.cycling(dir) + t.chance.between(-0.15, 0.15)
	}
	m.y = t.street.exit(m.height) - m.length/2 + 0.1
	if dir < 0 {
		m.y = t.street.far - 2.1
	}
	m.v = m.want
	gap, ahead := t.gap(m)
	if gap < 3+m.v {
		m.v = min(m.v, ahead)
	}
	if gap < 3+float64(0.8*m.v) || t.taken(m) {
		m.kind = nobody
		return false
	}
	return true
}

// taken tells whether another vehicle of the lane is where m would be.
func (t *traffic) taken(m *mover) bool {
	for i := range t.movers {
		o := &t.movers[i]
		if o != m && o.kind > walker && o.dir == m.dir && math.Abs(o.x-m.x) < (o.width+m.width)/2 &&
			math.Abs(o.y-m.y) < (o.length+m.length)/2+1.5 {
			return true
		}
	}
	return false
}

// free is a place for one more, emptied, or nil.
func (t *traffic) free() *mover {
	for i := range t.movers {
		if t.movers[i].kind == nobody {
			t.movers[i] = mover{}
			return &t.movers[i]
		}
	}
	return nil
}

func (m *mover) be(k kind) {
	m.kind = k
	m.build = builds[k]
	m.reach = 1
}

// park fills the parking bay.
func (t *traffic) park() {
	s := t.street
	if s.bay == 0 {
		return
	}
	// None stands where it would hide the counting lines.
	for y := s.counted + t.chance.between(4.5, 8); y < s.far-8; y += t.chance.between(5.8, 9) {
		if math.Abs(y-s.crossing) > 6 {
			t.parkAt(y)
		}
	}
}

func (t *traffic) parkAt(y float64) {
	if !t.chance.yes(0.8) {
		return
	}
	m := t.free()
	if m == nil {
		return
	}
	m.be([...]kind{hatchback, saloon, estate, van}[t.chance.below(4)])
	m.dress(&t.chance, t.street, 0)
	m.dir = 1
	if t.street.keepLeft {
		m.dir = -1
	}
	m.hy = m.dir
	m.x, m.y, m.parked = t.street.width-1.05+t.chance.between(-0.1, 0.1), y, true
}
