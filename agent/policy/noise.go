package policy

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"io"
)

// A sampler draws exact discrete Laplace noise, with integer arithmetic alone:
// the low bits of a floating-point sampler reveal part of the number that the
// noise is to hide (Mironov 2012). The algorithms are those of Canonne, Kamath
// and Steinke, "The Discrete Gaussian for Differential Privacy", 2020, sections
// 5.1 and 5.2.
type sampler struct{ random io.Reader }

// newSampler draws from the operating system's generator, crypto/rand.
func newSampler() *sampler { return &sampler{bufio.NewReaderSize(rand.Reader, 512)} }

// drawLaplace draws z with probability proportional to exp(-|z|·s/t). Both s
// and t are at least 1 and below 2³¹.
func (r *sampler) drawLaplace(s, t uint64) int64 {
	for {
		u := r.drawBelow(t)
		if !r.drawExpBernoulli(u, t) {
			continue
		}
		v := uint64(0)
		for r.drawExpBernoulli(1, 1) {
			v++
		}
		y := int64((u + t*v) / s)
		negative := r.drawBelow(2) == 1
		switch {
		case !negative:
			return y
		case y != 0: // zero has one sign only, or it would come twice as often
			return -y
		}
	}
}

// drawExpBernoulli is true with probability exp(-num/den), for num ≤ den.
func (r *sampler) drawExpBernoulli(num, den uint64) bool {
	k := uint64(1)
	for r.drawBelow(den*k) < num {
		k++
	}
	return k%2 == 1
}

// drawBelow draws uniformly from 0…n-1, by rejection.
func (r *sampler) drawBelow(n uint64) uint64 {
	if n == 1 {
		return 0
	}
	// The values from the last multiple of n on would make small results
	// likelier: draw again.
	for {
		x := r.drawUint64()
		if y := x % n; x-y <= -n {
			return y
		}
	}
}

// drawUint64 draws 64 random bits. It panics if there are none: without random
// numbers a count cannot be protected, so it must not be released.
func (r *sampler) drawUint64() uint64 {
	var b [8]byte
	if _, err := io.ReadFull(r.random, b[:]); err != nil {
		panic("policy: no random numbers: " + err.Error())
	}
	return binary.LittleEndian.Uint64(b[:])
}
