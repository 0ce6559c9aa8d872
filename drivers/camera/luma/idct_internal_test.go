package luma

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

func TestVectorUnitAgreesWithPortableTransformOnAnyInput(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var want, got [64]byte
	for range 200000 {
		var b [64]int16
		var cols, rows uint8 = 1, 1
		peak := 1 << r.IntN(17)
		for range r.IntN(65) {
			i := r.IntN(64)
			b[i] = int16(r.IntN(peak) - peak/2)
			cols, rows = cols|1<<(i&7), rows|1<<(i>>3)
		}
		idctPortable(want[:], 8, &b, cols, rows)
		idct(got[:], 8, &b, cols, rows)
		if got != want {
			t.Fatalf("block %v\ngot  %v\nwant %v", b, got, want)
		}
	}
}

// exactIDCT is the inverse DCT of T.81, A.3.3, in floating point, reduced by
// means over squares.
func exactIDCT(b *[64]int16, side int) (out [64]float64) {
	var base [8][8]float64
	for u := range 8 {
		for x := range 8 {
			base[u][x] = math.Cos(float64((2*x+1)*u)*math.Pi/16) / 2
		}
	}
	for x := range 8 {
		base[0][x] = math.Sqrt(1. / 8)
	}
	for i := range out {
		y, x := i>>3, i&7
		sum := 128.0
		for i, f := range b {
			sum += float64(f) * base[i&7][x] * base[i>>3][y]
		}
		out[y/side*8+x/side] += sum / float64(side*side)
	}
	return out
}

// TestTransformIsAccurate compares with floating point, on random blocks whose
// high frequencies are weaker, as in natural pictures. The bounds follow IEEE
// 1180: no error above 1, a mean square error below 0.02, and a bias within the
// scatter of so few samples.
func TestTransformIsAccurate(t *testing.T) {
	for side, transform := range map[int]func([]byte, *[64]int16){
		1: func(dst []byte, b *[64]int16) { idct(dst, 8, b, 0xff, 0xff) },
		2: func(dst []byte, b *[64]int16) { idctHalf(dst, 8, b) },
		4: func(dst []byte, b *[64]int16) { idctQuarter(dst, 8, b) },
	} {
		r := rand.New(rand.NewPCG(5, 6))
		n, square, bias := 0, 0.0, 0.0
		for range 500 {
			var b [64]int16
			for range 1 + r.IntN(20) {
				i := r.IntN(64)
				b[i] = int16(r.IntN(600)-300) / int16(1+i&7+i>>3)
			}
			want := exactIDCT(&b, side)
			var got [64]byte
			transform(got[:], &b)
			for y := range 8 / side {
				for x := range 8 / side {
					w := min(255, max(0, want[y*8+x]))
					d := float64(got[y*8+x]) - w
					if math.Abs(d) > 1 {
						t.Fatalf("means of %d: sample %d,%d is %d, must be %.2f", side, x, y, got[y*8+x], w)
					}
					e := float64(got[y*8+x]) - math.Round(w)
					n, square, bias = n+1, square+e*e, bias+e
				}
			}
		}
		if square/float64(n) > 0.02 || math.Abs(bias)/float64(n) > 0.005 {
			t.Errorf("means of %d: mean square error %.4f, bias %.5f", side, square/float64(n), bias/float64(n))
		}
	}
}

// countTraces counts the bytes of a decoder's scratch that are not 0.
func countTraces(d *Decoder) (n int) {
	count := func(v int) {
		if v != 0 {
			n++
		}
	}
	for _, v := range d.bits.buf {
		count(int(v))
	}
	for _, v := range d.block {
		count(int(v))
	}
	for _, v := range d.edge {
		count(int(v))
	}
	for _, v := range d.prog.coefs[:cap(d.prog.coefs)] {
		count(int(v))
	}
	count(int(d.bits.acc))
	count(int(d.predDC))
	count(len(d.dst))
	count(len(d.bits.src))
	return n
}

func TestNothingOfAPictureStaysInTheDecoder(t *testing.T) {
	for _, name := range []string{"444", "420-progressive", "grey"} {
		src, err := os.ReadFile("testdata/" + name + ".jpg")
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 67*45)
		for what, src := range map[string][]byte{"whole": src, "cut short": src[:len(src)-400]} {
			var d Decoder
			d.decodePicture(dst, src, Full)
			if countTraces(&d) < 100 {
				t.Errorf("%s, %s: the test finds nothing even before wiping", name, what)
			}
			d.Wipe()
			if n := countTraces(&d); n > 0 {
				t.Errorf("%s, %s: %d traces", name, what, n)
			}
			d.Decode(dst, src, Full)
			if n := countTraces(&d); n > 0 {
				t.Errorf("%s, %s: %d traces after Decode", name, what, n)
			}
		}
	}
}
