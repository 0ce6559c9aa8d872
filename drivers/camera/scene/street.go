package scene

import "math"

// street is the part that does not move, drawn from the seed: x runs from the
// left kerb (0) to the right one (width), houses stand behind both pavements.
type street struct {
	seed       uint64
	width      float64 // kerb to kerb
	wall       [2]float64
	keepLeft   bool
	cycle      float64 // width of the cycle lane at either kerb
	bay        float64 // width of the parking bay at the right kerb, 0: none
	crossing   float64 // middle of the pedestrian crossing, y
	counted    float64 // where the counting lines lie, y
	near, far  float64 // the street comes into view and ends, y
	lens       float64 // height of the camera
	houses     [2][]house
	trees      []tree
	posts      []post
	slab       float64 // size of the paving slabs
	road, path float64 // albedo of carriageway and pavement, 0–255
}

type house struct {
	from, to, height float64 // m
	floor, bay       float64 // height of a floor, width of a window's bay, m
	wall, glass      float64 // albedo
	shop             float64 // albedo of the sign above the shop, 0: no shop
}

type tree struct {
	x, y, height, crown float64 // crown is its radius
	seed                uint64
}

// post is anything thin that stands on the pavement.
type post struct {
	x, y, height, radius float64
	kind                 postKind
	albedo               float64
}

type postKind uint8

const (
	lamp postKind = iota
	signal
	sign
	bollard
)

const crossingWidth = 3.0 // m

// newStreet lays out a street; the camera's place follows later.
func newStreet(seed uint64) *street {
	c := chance(mix(seed ^ 0x5ce7e))
	s := &street{
		seed:     seed,
		keepLeft: c.yes(0.5),
		slab:     c.between(0.5, 0.9),
		road:     c.between(62, 92),
		path:     c.between(110, 158),
		far:      130,
	}
	lane := c.between(3, 3.4)
	if c.yes(0.6) {
		s.cycle = c.between(1.3, 1.8)
	}
	if c.yes(0.6) {
		s.bay = 2.2
	}
	s.width = lane + lane + s.cycle + s.cycle + s.bay
	s.wall = [2]float64{-c.between(2.8, 4), s.width + c.between(2.8, 4)}
	s.build(&c)
	return s
}

func (s *street) build(c *chance) {
	for side := range s.houses {
		for y := -12 - c.between(0, 8); y < s.far+20; {
			h := house{
				from: y, to: y + c.between(6, 16), height: c.between(8, 17),
				floor: c.between(2.9, 3.6), bay: c.between(1.6, 2.8),
				wall: c.between(60, 195), glass: c.between(22, 60),
			}
			if c.yes(0.55) {
				h.shop = c.between(40, 190)
			}
			s.houses[side] = append(s.houses[side], h)
			y = h.to
		}
	}
}

// furnish sets lamps, trees and signs on the kerbs once it is known where the
// counting lines lie: nothing stands on those.
func (s *street) furnish() {
	c := chance(mix(s.seed ^ 0xf0a57))
	kerb := [2]float64{-0.5, s.width + 0.5}
	for i, y := 0, s.counted+c.between(4, 7); y < s.far; i, y = i+1, y+c.between(20, 26) {
		s.posts = append(s.posts, post{kerb[i&1], y, 7, 0.08, lamp, 75})
	}
	s.posts = append(s.posts, post{kerb[1], s.counted - c.between(6, 9), 7, 0.08, lamp, 75})
	for i := range 2 {
		x := kerb[i]
		s.posts = append(s.posts,
			post{x, s.crossing + float64(float64(2*i-1)*(crossingWidth/2+0.4)), 3.2, 0.06, signal, 40},
			post{x, s.counted + 2.6 + float64(1.5*float64(i)), 2.4, 0.04, sign, 120},
			post{x, s.counted + 27 + float64(2*i), 2.6, 0.04, sign, 120})
	}
	for range 6 {
		s.posts = append(s.posts, post{kerb[c.below(2)] + float64(c.sign()*0.1), s.counted + float64(c.sign()*c.between(1.5, 9)), 1, 0.07, bollard, 60})
	}
	for side := range 2 {
		if !c.yes(0.75) {
			continue
		}
		for y := s.counted + c.between(3, 16); y < s.far; y += c.between(9, 24) {
			if math.Abs(y-s.crossing) > 4 {
				t := tree{kerb[side] + float64(float64(side*2-1)*0.3), y, c.between(5, 7.5), c.between(1.3, 2.1), c.next()}
				s.trees = append(s.trees, t)
			}
		}
	}
}

// exit is the y before which a thing of that height is out of sight.
func (s *street) exit(height float64) float64 {
	return float64(s.near*(1-min(height/s.lens, 1))) - 1
}

// bayFrom is the left edge of the parking bay.
func (s *street) bayFrom() float64 { return s.width - s.bay }

// lane is the x of the middle of the lane in one direction: 1 away from the
// camera, -1 towards it.
func (s *street) lane(dir float64) float64 {
	middle := s.bayFrom() / 2
	half := (middle - s.cycle) / 2
	if (dir > 0) == s.keepLeft {
		return middle - half
	}
	return middle + half
}

// cycling is the x at which bicycles ride.
func (s *street) cycling(dir float64) float64 {
	off := s.cycle / 2
	if s.cycle == 0 {
		off = 0.6
	}
	if (dir > 0) == s.keepLeft {
		return off
	}
	return s.bayFrom() - off
}

// stop is the y of the line at which traffic in one direction waits.
func (s *street) stop(dir float64) float64 {
	return s.crossing - float64(dir*(crossingWidth/2+1.2))
}

func (s *street) house(side int, y float64) *house {
	for i := range s.houses[side] {
		if h := &s.houses[side][i]; y < h.to {
			return h
		}
	}
	return &s.houses[side][len(s.houses[side])-1]
}
