package scene

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxCrowd is the most people of a crowd: half of maxMovers.
const maxCrowd = 60

// Crowd is a crowd that fills the street behind the counting lines, as at a market, when
// no vehicle may come in: people come out of the houses, stand or walk about, and go in
// again. The times count from the first picture. The zero value is none.
type Crowd struct {
	People   int
	From, To time.Duration
}

// ParseCrowd reads "25:20-80": so many people, from one second to another.
func ParseCrowd(s string) (c Crowd, err error) {
	people, times, ok := strings.Cut(s, ":")
	from, to, ok2 := strings.Cut(times, "-")
	var seconds [2]float64
	c.People, err = strconv.Atoi(people)
	for i, text := range [2]string{from, to} {
		if err == nil {
			seconds[i], err = strconv.ParseFloat(text, 64)
		}
	}
	if err != nil || !ok || !ok2 {
		return Crowd{}, fmt.Errorf("must be people:second-second, such as 25:20-80")
	}
	if !(seconds[0] >= 0 && seconds[1] >= seconds[0] && seconds[1] <= 1e6) {
		return Crowd{}, fmt.Errorf("%v-%v: must be rising seconds, up to 1000000", seconds[0], seconds[1])
	}
	c.From, c.To = time.Duration(seconds[0]*float64(time.Second)), time.Duration(seconds[1]*float64(time.Second))
	return c, nil
}

// gathering is what a person of a crowd does.
type gathering struct {
	spotX, spotY float64 // where it stands
	restless     bool    // it changes its spot now and then
}

// How a crowd behaves. Chosen by hand.
const (
	crowdDepth   = 16.5 // m of street behind the counting lines
	crowdGap     = 1.5  // m between two spots, if there is room
	crowdArrival = 3    // s over which it comes
	crowdTries   = 30   // spots of which the farthest from others is taken
	restlessPart = 0.3  // share of those who change their spot
	crowdPace    = 1.5  // m/s
	atSpot       = 0.1  // m from the spot: arrived
)

// updateCrowd lets people of the crowd in, and sends them away at its end.
func (t *traffic) updateCrowd() {
	c := t.cond.Crowd
	if c.People == 0 || t.opened == 0 {
		return
	}
	at := t.now - t.opened
	here := 0
	for i := range t.movers {
		m := &t.movers[i]
		if m.kind != walker || m.walk.state != gathered && m.walk.state != leaving {
			continue
		}
		if m.walk.state == gathered && at >= c.To.Seconds() {
			m.walk.state = leaving
			m.walk.crowd.spotX, m.walk.crowd.spotY = t.street.nearestDoor(m.x), m.y
		}
		here++
	}
	due := float64(float64(c.People) * clamp((at-c.From.Seconds())/crowdArrival, 0, 1))
	for ; at < c.To.Seconds() && float64(here) < math.Floor(due); here++ {
		if !t.spawnGathered() {
			return
		}
	}
}

// nearestDoor is the x of the house fronts of the nearer side.
func (s *street) nearestDoor(x float64) float64 {
	if x-s.wallX[0] < s.wallX[1]-x {
		return s.wallX[0]
	}
	return s.wallX[1]
}

// spawnGathered lets one person out of a house.
func (t *traffic) spawnGathered() bool {
	m := t.freeSlot()
	if m == nil {
		return false
	}
	m.setKind(walker)
	m.chooseLook(&t.rng, t.street, t.cond.Rain)
	m.walk = walkPlan{state: gathered, turnAt: unreachableY, crossAt: unreachableY}
	m.walk.crowd.restless = t.rng.trueWith(restlessPart)
	t.chooseSpot(m)
	m.desiredSpeed = crowdPace
	m.x, m.y = t.street.nearestDoor(m.walk.crowd.spotX), m.walk.crowd.spotY
	m.dir, m.hy = 1, 1
	return true
}

// chooseSpot gives a person a place to stand: of some random ones the farthest from
// those of others.
func (t *traffic) chooseSpot(m *mover) {
	c, s := &t.rng, t.street
	low, _ := s.walkableX(0)
	_, high := s.walkableX(1)
	best := -1.0
	for range crowdTries {
		x, y := c.floatIn(low, high), s.countY+c.floatIn(0.5, crowdDepth)
		free := float64(crowdGap * crowdGap)
		for i := range t.movers {
			o := &t.movers[i]
			if o != m && o.kind == walker && o.walk.state == gathered {
				dx, dy := o.walk.crowd.spotX-x, o.walk.crowd.spotY-y
				free = min(free, float64(dx*dx)+float64(dy*dy))
			}
		}
		if free > best {
			best, m.walk.crowd.spotX, m.walk.crowd.spotY = free, x, y
		}
	}
	m.walk.pauseEnd = t.now + c.floatIn(6, 25)
}

// crowdVelocity returns the velocity of a person of the crowd. One that has gone in is
// removed.
func (t *traffic) crowdVelocity(m *mover) (vx, vy float64) {
	w := &m.walk
	dx, dy := w.crowd.spotX-m.x, w.crowd.spotY-m.y
	d := math.Sqrt(float64(dx*dx) + float64(dy*dy))
	switch {
	case d > atSpot:
		pace := min(m.desiredSpeed, float64(3*d))
		return float64(pace * dx / d), float64(pace * dy / d)
	case w.state == leaving:
		m.kind = noMover
	case w.crowd.restless && t.now >= w.pauseEnd:
		t.chooseSpot(m)
	}
	return 0, 0
}
