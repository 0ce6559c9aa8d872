package vision

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// shrinkRow gives the rounded mean for every factor and every width of a grid, and reads no
// byte behind the rows.
func TestAReducedPixelIsTheRoundedMean(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for k := 1; k <= maxReduction; k++ {
		for _, w := range []int{1, 7, 8, 9, 31, 256} {
			for _, extra := range []int{0, k - 1} {
				stride := w*k + extra
				rows, out := make([]byte, k*stride), make([]byte, w)
				for i := range rows {
					if rows[i] = byte(r.Uint32()); w == 9 {
						rows[i] |= 0xf0
					}
				}
				shrinkRow(out, rows, k, stride)
				for x, got := range out {
					sum := 0
					for i := range k * k {
						sum += int(rows[i/k*stride+x*k+i%k])
					}
					if want := (sum + k*k/2) / (k * k); int(got) != want {
						t.Fatalf("k %d, width %d, pixel %d: %d, not %d", k, w, x, got, want)
					}
				}
			}
		}
	}
}

// The kernel of this processor and the portable code sum columns alike.
func TestKernelsSumColumnsAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 3))
	for k := 1; k <= maxReduction; k++ {
		for n := 8; n <= 8*k; n += 8 {
			stride := n + r.IntN(9)
			rows, one, other := make([]byte, (k-1)*stride+n), make([]uint16, n), make([]uint16, n)
			for i := range rows {
				rows[i] = byte(r.Uint32() | r.Uint32())
			}
			if n == 8 {
				for i := range rows {
					rows[i] = 255
				}
			}
			sumColumns(one, rows, k, stride)
			sumColumnsPortable(other, rows, k, stride)
			if !slices.Equal(one, other) {
				t.Fatalf("%d rows of %d", k, n)
			}
		}
	}
}
