package scene

import "math"

// splitMix64 is a stream of pseudo-random numbers: SplitMix64 (Steele, Lea,
// Flood, OOPSLA 2014). Its sequence is part of the meaning of a seed.
type splitMix64 uint64

// nextUint64 returns the next 64 random bits.
func (c *splitMix64) nextUint64() uint64 {
	*c += 0x9e3779b97f4a7c15
	return mix64(uint64(*c))
}

// mix64 is SplitMix64's finaliser: a bijection of 64 bits that serves as a
// hash.
func mix64(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unitFloat is uniform in [0,1), with 53 random bits.
func (c *splitMix64) unitFloat() float64 { return float64(c.nextUint64()>>11) / (1 << 53) }

// floatIn is uniform in [low,high).
func (c *splitMix64) floatIn(low, high float64) float64 { return lerp(low, high, c.unitFloat()) }

// intBelow is an integer in [0,n). Its bias is below n/2⁶⁴.
func (c *splitMix64) intBelow(n int) int { return int(c.nextUint64() % uint64(n)) }

// trueWith is true with probability p.
func (c *splitMix64) trueWith(p float64) bool { return c.unitFloat() < p }

// randomSign is -1 or 1, each with probability one half.
func (c *splitMix64) randomSign() float64 {
	if c.nextUint64()>>63 == 0 {
		return -1
	}
	return 1
}

// normFloat approximates a normal number of mean 0 and deviation 1 by the sum
// of twelve uniform ones (Irwin–Hall), which never leaves ±6.
func (c *splitMix64) normFloat() float64 {
	s := -6.0
	for range 12 {
		s += c.unitFloat()
	}
	return s
}

// latticeNoise hashes a lattice point to a uniform number in [0,1). Texture
// made of it stays in its place on the ground.
func latticeNoise(seed uint64, x, y int) float64 {
	z := seed ^ uint64(int64(x))*0x9e3779b97f4a7c15 ^ uint64(int64(y))*0xc2b2ae3d27d4eb4f
	return float64(mix64(z)>>11) / (1 << 53)
}

// latticeCell returns the lattice cell of x for n cells a metre.
func latticeCell(x, n float64) int { return int(math.Floor(float64(x * n))) }

// valueNoise interpolates latticeNoise smoothly between the lattice points
// (value noise), 0–1.
func valueNoise(seed uint64, x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int(clamp(fx, -1e6, 1e6)), int(clamp(fy, -1e6, 1e6))
	tx, ty := x-fx, y-fy
	tx = float64(tx * tx * (3 - float64(2*tx)))
	ty = float64(ty * ty * (3 - float64(2*ty)))
	top := lerp(latticeNoise(seed, ix, iy), latticeNoise(seed, ix+1, iy), tx)
	bottom := lerp(latticeNoise(seed, ix, iy+1), latticeNoise(seed, ix+1, iy+1), tx)
	return lerp(top, bottom, ty)
}
