package scene

import "math"

// chance is a stream of pseudo-random numbers: SplitMix64 (Steele, Lea, Flood,
// OOPSLA 2014). Its sequence is part of what a seed means.
type chance uint64

func (c *chance) next() uint64 {
	*c += 0x9e3779b97f4a7c15
	return mix(uint64(*c))
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit is even in [0,1).
func (c *chance) unit() float64 { return float64(c.next()>>11) / (1 << 53) }

func (c *chance) between(low, high float64) float64 { return lerp(low, high, c.unit()) }

func (c *chance) below(n int) int { return int(c.next() % uint64(n)) }

func (c *chance) yes(p float64) bool { return c.unit() < p }

func (c *chance) sign() float64 {
	if c.next()>>63 == 0 {
		return -1
	}
	return 1
}

// bell is close to a normal number of mean 0 and deviation 1, never beyond ±6:
// twelve even ones summed.
func (c *chance) bell() float64 {
	s := -6.0
	for range 12 {
		s += c.unit()
	}
	return s
}

// grain is an even number in [0,1) that belongs to a lattice point: texture
// that stays in its place.
func grain(seed uint64, x, y int) float64 {
	z := seed ^ uint64(int64(x))*0x9e3779b97f4a7c15 ^ uint64(int64(y))*0xc2b2ae3d27d4eb4f
	return float64(mix(z)>>11) / (1 << 53)
}

// lattice is the cell of x where there are n to a metre.
func lattice(x, n float64) int { return int(math.Floor(float64(x * n))) }

// cloth is grain made smooth between the lattice points, 0–1.
func cloth(seed uint64, x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int(clamp(fx, -1e6, 1e6)), int(clamp(fy, -1e6, 1e6))
	tx, ty := x-fx, y-fy
	tx = float64(tx * tx * (3 - float64(2*tx)))
	ty = float64(ty * ty * (3 - float64(2*ty)))
	top := lerp(grain(seed, ix, iy), grain(seed, ix+1, iy), tx)
	bottom := lerp(grain(seed, ix, iy+1), grain(seed, ix+1, iy+1), tx)
	return lerp(top, bottom, ty)
}
