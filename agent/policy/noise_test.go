package policy

import (
	"math"
	"math/rand/v2"
	"testing"
)

// seeded is a sampler that always draws the same, so that a test of chance
// cannot fail by chance.
func seeded(seed byte) *sampler { return &sampler{rand.NewChaCha8([32]byte{seed})} }

func draws(t *testing.T, full int) int {
	t.Helper()
	if testing.Short() {
		return full / 10
	}
	return full
}

// oddity is Pearson's chi-square of the draws against discrete Laplace noise
// with rate s/t, as a standard normal deviate (Wilson and Hilferty 1931): below
// 4 is expected; a larger value comes once in 30,000 tests.
func oddity(rate float64, seen map[int64]int, n int) float64 {
	p := math.Exp(-rate)
	q := (1 - p) / (1 + p)
	chi, cells, left, rest := 0.0, 0.0, n, float64(n)
	add := func(got int, want float64) {
		chi += (float64(got) - want) * (float64(got) - want) / want
		cells++
	}
	for z := int64(0); ; z++ {
		want := float64(n) * q * math.Pow(p, float64(z))
		if want < 25 {
			break
		}
		add(seen[z], want)
		left, rest = left-seen[z], rest-want
		if z > 0 {
			add(seen[-z], want)
			left, rest = left-seen[-z], rest-want
		}
	}
	add(left, rest) // both tails together
	k := cells - 1
	return (math.Cbrt(chi/k) - (1 - 2/(9*k))) / math.Sqrt(2/(9*k))
}

var scales = []struct {
	s, t uint64 // ε = s/t for each unit
	n    int
}{
	{100, 1000, 200_000},
	{500, 1000, 200_000},
	{1000, 1000, 1_000_000},
	{1234, 1000, 200_000},
	{2000, 1000, 200_000},
	{1000, 20000, 200_000}, // a zone's mean in tenths, ε 1
}

func TestNoiseIsExactlyDiscreteLaplace(t *testing.T) {
	for i, c := range scales {
		r, seen, n := seeded(byte(i)), map[int64]int{}, draws(t, c.n)
		for range n {
			seen[r.drawLaplace(c.s, c.t)]++
		}
		odd := oddity(float64(c.s)/float64(c.t), seen, n)
		t.Logf("rate %d/%d, %d draws: deviate %.2f", c.s, c.t, n, odd)
		if odd > 4 {
			t.Errorf("rate %d/%d: deviate %.1f", c.s, c.t, odd)
		}
	}
}

func TestNoiseIsExactlyDiscreteLaplace_control(t *testing.T) {
	// The common mistake must be found out: to round a continuous
	// Laplace, and to let zero have two signs.
	random := rand.New(rand.NewChaCha8([32]byte{9}))
	n := draws(t, 1_000_000)
	roundedLaplace, twoZeros := map[int64]int{}, map[int64]int{}
	for range n {
		z, sign := random.ExpFloat64(), 1-2*random.Int64N(2)
		roundedLaplace[sign*int64(math.Round(z))]++
		twoZeros[sign*int64(z)]++
	}
	for name, seen := range map[string]map[int64]int{"rounded Laplace": roundedLaplace, "two zeros": twoZeros} {
		odd := oddity(1, seen, n)
		t.Logf("%s: deviate %.0f", name, odd)
		if odd < 10 {
			t.Errorf("%s passed with deviate %.1f: the test sees nothing", name, odd)
		}
	}
}

func TestMeanErrorIsAsTheory(t *testing.T) {
	for i, eps := range []uint64{100, 200, 500, 1000, 1500, 2000} {
		r, sum, n := seeded(byte(20+i)), 0.0, draws(t, 200_000)
		for range n {
			sum += math.Abs(float64(r.drawLaplace(eps, 1000)))
		}
		got, want := sum/float64(n), meanAbsNoise(float64(eps)/1000)
		t.Logf("ε %.1f: mean error %.3f, theory %.3f", float64(eps)/1000, got, want)
		if math.Abs(got-want) > 0.02*want+0.005 {
			t.Errorf("ε %.1f: mean error %.3f, theory %.3f", float64(eps)/1000, got, want)
		}
	}
}

func TestBelowIsEven(t *testing.T) {
	r, n := seeded(30), 60_000
	for _, m := range []uint64{1, 2, 3, 7, 1000} {
		seen := make([]int, m)
		for range n {
			seen[r.drawBelow(m)]++
		}
		want := float64(n) / float64(m)
		for v, got := range seen {
			if math.Abs(float64(got)-want) > 6*math.Sqrt(want)+1 {
				t.Errorf("%d of 0…%d came %d times, not about %.0f", v, m-1, got, want)
			}
		}
	}
}

// words64 gives a sampler the words to draw from.
type words64 []uint64

func (w *words64) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte((*w)[0] >> (8 * i))
	}
	*w = (*w)[1:]
	return len(b), nil
}

func TestBelowDrawsAgainBeyondTheLastMultiple(t *testing.T) {
	// 2⁶⁴ = 3·k + 1: the very last word would make 0 likelier than 1 and 2.
	w := words64{math.MaxUint64, math.MaxUint64 - 1}
	r := sampler{&w}
	if got := r.drawBelow(3); got != 2 || len(w) != 0 {
		t.Errorf("got %d, %d words left", got, len(w))
	}
}

func TestTheExpectedErrorsAreThoseOfManyWindows(t *testing.T) {
	// The figures that Explain prints, against windows that are really cleared.
	for _, u := range []rule{
		{method: Noise, epsilon: 1000, below: 5, round: 1},
		{method: Noise, epsilon: 500, below: 10, round: 1},
		{method: Noise, epsilon: 1000, round: 1},
		{method: Suppress, below: 5, round: 1},
		{method: Suppress, below: 10, round: 10},
		{method: Suppress, below: 10, round: 10, totals: true},
	} {
		for _, mean := range []float64{5, 12} {
			random := rand.New(rand.NewChaCha8([32]byte{40}))
			w := clearer{rule: u, noise: seeded(41)}
			hidden, errors, n := 0, 0.0, 40_000
			for range n {
				a, b := poisson(random, mean), poisson(random, mean)
				if c := w.clearLine(0, 0, [2]uint32{a, b})[0]; c.ranged {
					hidden++
				} else {
					errors += math.Abs(float64(c.a) - float64(a))
				}
			}
			wantHidden, wantErr := u.expectError(mean)
			if got := float64(hidden) / float64(n); math.Abs(got-wantHidden) > 0.01 {
				t.Errorf("%+v, mean %g: %.3f withheld, expected %.3f", u, mean, got, wantHidden)
			}
			if got := errors / float64(n-hidden); n-hidden > 1000 && math.Abs(got-wantErr) > 0.05*wantErr+0.02 {
				t.Errorf("%+v, mean %g: mean error %.3f, expected %.3f", u, mean, got, wantErr)
			}
		}
	}
}

// poisson draws by Knuth's method.
func poisson(r *rand.Rand, mean float64) (n uint32) {
	for p := r.Float64(); p > math.Exp(-mean); p *= r.Float64() {
		n++
	}
	return n
}

func BenchmarkLaplace(b *testing.B) {
	r := newSampler()
	for b.Loop() {
		r.drawLaplace(1000, 1000)
	}
}
