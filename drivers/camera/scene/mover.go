package scene

import "kerb/counting"

// moverKind selects how a mover is drawn and steered.
type moverKind uint8

const (
	noMover moverKind = iota
	walker
	cyclist
	motorcyclist
	hatchback
	saloon
	estate
	van
	bus
	lorry
	moverKinds
)

// bodySize is the size of a kind, m, and the class as which it counts. A van is
// a car: the border between the classes is weight, and most vans are below the
// limit for lorries.
type bodySize struct {
	class                 counting.Class
	length, width, height float64
}

var bodySizes = [moverKinds]bodySize{
	walker:       {counting.Person, 0.4, 0.5, 1.75},
	cyclist:      {counting.Bicycle, 1.75, 0.6, 1.75},
	motorcyclist: {counting.Motorcycle, 2.1, 0.8, 1.6},
	hatchback:    {counting.Car, 4.0, 1.75, 1.48},
	saloon:       {counting.Car, 4.7, 1.82, 1.44},
	estate:       {counting.Car, 4.6, 1.88, 1.7},
	van:          {counting.Car, 5.4, 2.0, 2.3},
	bus:          {counting.Heavy, 11, 2.5, 3.1},
	lorry:        {counting.Heavy, 8.2, 2.45, 3.5},
}

// mover is an object that can cross a line: a person, a rider or a vehicle.
type mover struct {
	kind moverKind
	bodySize
	x, y         float64 // middle of its footprint
	dir          float64 // along the street: 1 away from the camera, -1 towards it
	v            float64 // present speed, m/s
	desiredSpeed float64 // m/s, on a free way
	hx, hy       float64 // heading, unit
	gait         float64 // phase of steps or pedals, turns
	look         appearance
	walk         walkPlan
	parked       bool
	directLight  float64 // share of the direct light on it, 0–1, smoothed over pictures
	braking      bool
	drawnPixels  int // pixels that it covered before items nearer to the camera were drawn
	lineState    lineState
}

// appearance holds a mover's albedos (0–255) and accessories.
type appearance struct {
	body, legs, skin, hair, extra float64
	stature                       float64 // height as a share of that of its kind
	coat, bag, umbrella, decker   bool
}

// minY is the nearest y of the footprint, and maxY the farthest, m.
func (m *mover) minY() float64 { return m.y - m.length/2 }
func (m *mover) maxY() float64 { return m.y + m.length/2 }

// chooseLook draws a mover's appearance at random. One in six has the albedo of
// the ground below it: low contrast is part of every street.
func (m *mover) chooseLook(c *splitMix64, s *street, rain float64) {
	dark, pale := c.floatIn(18, 60), c.floatIn(100, 185)
	m.look = appearance{
		body: dark, legs: c.floatIn(20, 75), skin: c.floatIn(70, 165), hair: c.floatIn(15, 70),
		extra: c.floatIn(25, 180), stature: clamp(1+float64(0.055*c.normFloat()), 0.86, 1.13),
		coat: c.trueWith(0.25), bag: c.trueWith(0.3), decker: c.trueWith(0.4),
	}
	if c.trueWith(0.5) {
		m.look.body = pale
	}
	if c.trueWith(0.08) && m.kind == walker { // a child
		m.look.stature = c.floatIn(0.62, 0.8)
	}
	if c.trueWith(1.0 / 6) {
		ground := s.roadAlbedo
		if m.kind == walker {
			ground = s.pathAlbedo
		}
		m.look.body, m.look.legs = ground+c.floatIn(-8, 8), ground-c.floatIn(5, 25)
	}
	m.look.umbrella = m.kind == walker && c.trueWith(float64(0.75*rain))
	if m.kind == bus || m.kind == lorry {
		m.look.body = c.floatIn(60, 190)
	}
	if m.kind == bus && m.look.decker {
		m.height = 4.3
	}
	if m.kind == walker {
		m.height = float64(1.75 * m.look.stature)
	}
}
