package scene

import "math"

// street is the static layout, drawn from the seed: x runs from the left kerb
// (0) to the right one (width), and houses stand behind both pavements.
type street struct {
	seed                   uint64
	width                  float64 // kerb to kerb
	wallX                  [2]float64
	keepLeft               bool
	cycleWidth             float64 // width of the cycle lane at either kerb
	bayWidth               float64 // width of the parking bay at the right kerb, 0: none
	crossingY              float64 // middle of the pedestrian crossing, y
	countY                 float64 // where the counting lines lie, y
	nearY, farY            float64 // the street comes into view and ends, y
	eyeHeight              float64 // height of the camera
	houses                 [2][]house
	trees                  []tree
	posts                  []post
	slabSize               float64 // size of the paving slabs
	roadAlbedo, pathAlbedo float64 // albedo of carriageway and pavement, 0–255
}

// house is one house front.
type house struct {
	from, to, height        float64 // m
	floorHeight, windowBay  float64 // height of a floor, width of a window's bay, m
	wallAlbedo, glassAlbedo float64 // albedo
	signAlbedo              float64 // albedo of the sign above the shop, 0: no shop
}

// tree is one tree on the kerb.
type tree struct {
	x, y, height, crownRadius float64 // crown is its radius
	seed                      uint64
}

// post is a thin object on the pavement.
type post struct {
	x, y, height, radius float64
	kind                 postKind
	albedo               float64
}

// postKind selects how a post is drawn.
type postKind uint8

const (
	lamp postKind = iota
	signal
	sign
	bollard
)

const crossingWidth = 3.0 // m

// newStreet lays out a street from the seed. The camera's place and the
// furniture follow later.
func newStreet(seed uint64) *street {
	c := splitMix64(mix64(seed ^ 0x5ce7e))
	s := &street{
		seed:       seed,
		keepLeft:   c.trueWith(0.5),
		slabSize:   c.floatIn(0.5, 0.9),
		roadAlbedo: c.floatIn(62, 92),
		pathAlbedo: c.floatIn(110, 158),
		farY:       130,
	}
	lane := c.floatIn(3, 3.4)
	if c.trueWith(0.6) {
		s.cycleWidth = c.floatIn(1.3, 1.8)
	}
	if c.trueWith(0.6) {
		s.bayWidth = 2.2
	}
	s.width = lane + lane + s.cycleWidth + s.cycleWidth + s.bayWidth
	s.wallX = [2]float64{-c.floatIn(2.8, 4), s.width + c.floatIn(2.8, 4)}
	s.buildHouses(&c)
	return s
}

// buildHouses lines both sides with houses, 6 m to 16 m wide.
func (s *street) buildHouses(c *splitMix64) {
	for side := range s.houses {
		for y := -12 - c.floatIn(0, 8); y < s.farY+20; {
			h := house{
				from: y, to: y + c.floatIn(6, 16), height: c.floatIn(8, 17),
				floorHeight: c.floatIn(2.9, 3.6), windowBay: c.floatIn(1.6, 2.8),
				wallAlbedo: c.floatIn(60, 195), glassAlbedo: c.floatIn(22, 60),
			}
			if c.trueWith(0.55) {
				h.signAlbedo = c.floatIn(40, 190)
			}
			s.houses[side] = append(s.houses[side], h)
			y = h.to
		}
	}
}

// placeFurniture sets lamps, signals, signs, bollards and trees on the kerbs.
// It needs countY, because no post may stand on the counting lines.
func (s *street) placeFurniture() {
	c := splitMix64(mix64(s.seed ^ 0xf0a57))
	kerb := [2]float64{-0.5, s.width + 0.5}
	for i, y := 0, s.countY+c.floatIn(4, 7); y < s.farY; i, y = i+1, y+c.floatIn(20, 26) {
		s.posts = append(s.posts, post{kerb[i&1], y, 7, 0.08, lamp, 75})
	}
	s.posts = append(s.posts, post{kerb[1], s.countY - c.floatIn(6, 9), 7, 0.08, lamp, 75})
	for i := range 2 {
		x := kerb[i]
		s.posts = append(s.posts,
			post{x, s.crossingY + float64(float64(2*i-1)*(crossingWidth/2+0.4)), 3.2, 0.06, signal, 40},
			post{x, s.countY + 2.6 + float64(1.5*float64(i)), 2.4, 0.04, sign, 120},
			post{x, s.countY + 27 + float64(2*i), 2.6, 0.04, sign, 120})
	}
	for range 6 {
		s.posts = append(s.posts, post{kerb[c.intBelow(2)] + float64(c.randomSign()*0.1), s.countY + float64(c.randomSign()*c.floatIn(1.5, 9)), 1, 0.07, bollard, 60})
	}
	for side := range 2 {
		if !c.trueWith(0.75) {
			continue
		}
		for y := s.countY + c.floatIn(3, 16); y < s.farY; y += c.floatIn(9, 24) {
			if math.Abs(y-s.crossingY) > 4 {
				t := tree{kerb[side] + float64(float64(side*2-1)*0.3), y, c.floatIn(5, 7.5), c.floatIn(1.3, 2.1), c.nextUint64()}
				s.trees = append(s.trees, t)
			}
		}
	}
}

// exitY returns the y below which an object of that height is out of the
// camera's sight.
func (s *street) exitY(height float64) float64 {
	return float64(s.nearY*(1-min(height/s.eyeHeight, 1))) - 1
}

// bayLeftX returns the left edge of the parking bay.
func (s *street) bayLeftX() float64 { return s.width - s.bayWidth }

// laneX returns the middle of the lane in one direction: 1 away from the
// camera, -1 towards it.
func (s *street) laneX(dir float64) float64 {
	middle := s.bayLeftX() / 2
	half := (middle - s.cycleWidth) / 2
	if (dir > 0) == s.keepLeft {
		return middle - half
	}
	return middle + half
}

// bicycleX returns the x at which bicycles ride in one direction.
func (s *street) bicycleX(dir float64) float64 {
	off := s.cycleWidth / 2
	if s.cycleWidth == 0 {
		off = 0.6
	}
	if (dir > 0) == s.keepLeft {
		return off
	}
	return s.bayLeftX() - off
}

// stopLineY returns the y of the stop line for one direction.
func (s *street) stopLineY(dir float64) float64 {
	return s.crossingY - float64(dir*(crossingWidth/2+1.2))
}

// houseAt returns the house at y, or the last one.
func (s *street) houseAt(side int, y float64) *house {
	for i := range s.houses[side] {
		if h := &s.houses[side][i]; y < h.to {
			return h
		}
	}
	return &s.houses[side][len(s.houses[side])-1]
}
