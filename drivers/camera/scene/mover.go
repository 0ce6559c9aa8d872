package scene

import "kerb/counting"

// kind is what a mover is drawn and steered as.
type kind uint8

const (
	nobody kind = iota
	walker
	cyclist
	biker
	hatchback
	saloon
	estate
	van
	bus
	lorry
	kinds
)

// build is the size of a kind, m, and the class as which it counts. A van is a
// car: what divides is weight, and most vans are below the limit for lorries.
type build struct {
	class                 counting.Class
	length, width, height float64
}

var builds = [kinds]build{
	walker:    {counting.Person, 0.4, 0.5, 1.75},
	cyclist:   {counting.Bicycle, 1.75, 0.6, 1.75},
	biker:     {counting.Motorcycle, 2.1, 0.8, 1.6},
	hatchback: {counting.Car, 4.0, 1.75, 1.48},
	saloon:    {counting.Car, 4.7, 1.82, 1.44},
	estate:    {counting.Car, 4.6, 1.88, 1.7},
	van:       {counting.Car, 5.4, 2.0, 2.3},
	bus:       {counting.Heavy, 11, 2.5, 3.1},
	lorry:     {counting.Heavy, 8.2, 2.45, 3.5},
}

// mover is anything in the street that can cross a line.
type mover struct {
	kind
	build
	x, y   float64 // middle of its footprint
	dir    float64 // along the street: 1 away from the camera, -1 towards it
	v      float64 // present speed, m/s
	want   float64 // speed that it likes
	hx, hy float64 // heading, unit
	gait   float64 // phase of steps or pedals, turns
	look   look
	walk   walk
	parked bool
	reach  float64 // share of the direct light on it, followed slowly
	braked bool
	drawn  int // pixels that it would cover with nothing before it
	truth  contact
}

// look is what it wears: albedos.
type look struct {
	body, legs, skin, hair, extra float64
	stature                       float64 // height over that of its build
	coat, bag, umbrella, decker   bool
}

// rear is the least y of its footprint, front the greatest.
func (m *mover) rear() float64  { return m.y - m.length/2 }
func (m *mover) front() float64 { return m.y + m.length/2 }

// dress chooses what a mover wears. One in six is as bright as what it moves
// on: the hard ones are part of every street.
func (m *mover) dress(c *chance, s *street, rain float64) {
	dark, pale := c.between(18, 60), c.between(100, 185)
	m.look = look{
		body: dark, legs: c.between(20, 75), skin: c.between(70, 165), hair: c.between(15, 70),
		extra: c.between(25, 180), stature: clamp(1+float64(0.055*c.bell()), 0.86, 1.13),
		coat: c.yes(0.25), bag: c.yes(0.3), decker: c.yes(0.4),
	}
	if c.yes(0.5) {
		m.look.body = pale
	}
	if c.yes(0.08) && m.kind == walker { // a child
		m.look.stature = c.between(0.62, 0.8)
	}
	if c.yes(1.0 / 6) {
		ground := s.road
		if m.kind == walker {
			ground = s.path
		}
		m.look.body, m.look.legs = ground+c.between(-8, 8), ground-c.between(5, 25)
	}
	m.look.umbrella = m.kind == walker && c.yes(float64(0.75*rain))
	if m.kind == bus || m.kind == lorry {
		m.look.body = c.between(60, 190)
	}
	if m.kind == bus && m.look.decker {
		m.height = 4.3
	}
	if m.kind == walker {
		m.height = float64(1.75 * m.look.stature)
	}
}
