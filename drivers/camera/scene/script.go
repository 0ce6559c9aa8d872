package scene

import "math"

// Body is the body of an actor: how it is drawn, how large it is, and the class as which
// it counts.
type Body moverKind

// The bodies.
const (
	Walker    = Body(walker)
	Cyclist   = Body(cyclist)
	Hatchback = Body(hatchback)
	Saloon    = Body(saloon)
	Estate    = Body(estate)
	Van       = Body(van)
	Bus       = Body(bus)   // 11 m
	Lorry     = Body(lorry) // 8.2 m
)

// Place is where an actor is: the middle of its footprint, in metres.
type Place struct {
	X       float64 // across, from the left kerb 0 to the right kerb Width; the pavements lie outside
	Y       float64 // along the street, away from the camera
	Heading float64 // 1 away from the camera, -1 towards it
}

// Way tells where an actor is so many seconds after the first picture; false: it is not
// there.
type Way func(seconds float64) (Place, bool)

// Actor is an object with a prescribed way, for tests of one event, such as a vehicle that
// stands on the line.
type Actor struct {
	Body   Body
	Length float64 // m; 0: that of its body
	Way    Way
}

// Width is the distance from kerb to kerb, m.
func (s *Scene) Width() float64 { return s.street.width }

// LineY is the distance of the counting lines from the camera, along the street, m.
func (s *Scene) LineY() float64 { return s.street.countY }

// LaneX is the middle of the lane of vehicles with that heading, m.
func (s *Scene) LaneX(heading float64) float64 { return s.street.laneX(heading) }

// FollowScript replaces the traffic, parked vehicles included, by actors, at most 120. It must
// be called before the first picture is read.
func (s *Scene) FollowScript(actors []Actor) {
	t := &s.traffic
	t.actors = actors[:min(len(actors), maxMovers)]
	rng := splitMix64(mix64(s.seed ^ 0xac7025))
	for i := range t.movers {
		t.movers[i] = mover{}
		if i >= len(t.actors) {
			continue
		}
		m := &t.movers[i]
		m.setKind(moverKind(t.actors[i].Body))
		m.chooseLook(&rng, s.street, s.cond.Rain)
		if l := t.actors[i].Length; l > 0 {
			m.length = l
		}
	}
	t.placeActors(0)
	s.updateTruth()
}

// placeActors moves the actors to their places, dt seconds after the places before.
func (t *traffic) placeActors(dt float64) {
	for i := range t.actors {
		m := &t.movers[i]
		p, there := t.actors[i].Way(t.now - t.opened)
		if !there {
			m.kind, m.lineState = noMover, lineState{}
			continue
		}
		kind := moverKind(t.actors[i].Body)
		if was := m.kind; was == kind && dt > 0 {
			d := math.Abs(p.Y - m.y)
			m.v = d / dt
			if kind == walker {
				m.gait += d / gaitLength
			} else {
				m.gait += d / pedalLength
			}
		}
		m.kind = kind
		m.x, m.y, m.hx, m.hy, m.dir = p.X, p.Y, 0, p.Heading, p.Heading
	}
}
