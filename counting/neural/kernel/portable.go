package kernel

import "math"

// portableSet returns the kernels in plain Go. Tests compare the assembly with
// them.
func portableSet() *Set {
	return &Set{Name: "go", Rows: 1, Widths: []int{4}, Spaced: true}
}

// gemmGo computes a block of a matrix product, two rows and four columns at a
// time.
func gemmGo(g *Gemm, width int) {
	for n := 0; n < g.N; n += 4 {
		cols := min(4, g.N-n)
		m := 0
		for ; m+1 < g.M; m += 2 {
			r0, r1 := gemm2x4(g, width, m, n)
			g.storeRow(m, n, cols, r0)
			g.storeRow(m+1, n, cols, r1)
		}
		if m < g.M {
			g.storeRow(m, n, cols, gemm1x4(g, width, m, n))
		}
	}
}

// gemm2x4 returns four columns of two rows, from row m and column n on, without
// the activation.
func gemm2x4(g *Gemm, width, m, n int) (r0, r1 [4]float32) {
	bias := g.Bias[n : n+4 : n+4]
	a0, a1, a2, a3 := bias[0], bias[1], bias[2], bias[3]
	b0, b1, b2, b3 := a0, a1, a2, a3
	at := n
	for _, s := range g.Segs {
		p := g.AOff + m*g.AStep + s
		q := p + g.AStep
		for range g.SegLen {
			x, y := g.A[p], g.A[q]
			w := g.B[at : at+4 : at+4]
			a0 += x * w[0]
			a1 += x * w[1]
			a2 += x * w[2]
			a3 += x * w[3]
			b0 += y * w[0]
			b1 += y * w[1]
			b2 += y * w[2]
			b3 += y * w[3]
			p, q, at = p+g.KStep, q+g.KStep, at+width
		}
	}
	return [4]float32{a0, a1, a2, a3}, [4]float32{b0, b1, b2, b3}
}

// gemm1x4 returns four columns of row m, from column n on, without the
// activation.
func gemm1x4(g *Gemm, width, m, n int) [4]float32 {
	r := [4]float32(g.Bias[n : n+4])
	at := n
	for _, s := range g.Segs {
		p := g.AOff + m*g.AStep + s
		for range g.SegLen {
			x := g.A[p]
			w := g.B[at : at+4 : at+4]
			r[0] += x * w[0]
			r[1] += x * w[1]
			r[2] += x * w[2]
			r[3] += x * w[3]
			p, at = p+g.KStep, at+width
		}
	}
	return r
}

// storeRow applies residual and activation to the first cols numbers of r and
// writes them to row m of C, from column n on.
func (g *Gemm) storeRow(m, n, cols int, r [4]float32) {
	c := g.C[g.COff+m*g.CStep+n:]
	for j := range cols {
		x := r[j]
		if len(g.Res) > 0 && g.Before {
			x += g.Res[g.ROff+m*g.RStep+n+j]
		}
		x = g.Act.Apply(x)
		if len(g.Res) > 0 && !g.Before {
			x += g.Res[g.ROff+m*g.RStep+n+j]
		}
		c[j] = x
	}
}

// tapsGo computes a row of a depthwise convolution for the channels from c0 on.
func tapsGo(t *Taps, c0 int) {
	for j := range t.N {
		out := t.Out[t.OutOff+j*t.OutStep:][c0:t.C]
		copy(out, t.Bias[c0:t.C])
		for i := 0; i+1 < len(t.Tab); i += 2 {
			in := t.In[t.InOff+j*t.InStep+t.Tab[i]+c0:][:len(out)]
			w := t.W[t.Tab[i+1]+c0:][:len(out)]
			for c := range out {
				out[c] += in[c] * w[c]
			}
		}
		if t.Act.Kind != None {
			for c := range out {
				out[c] = t.Act.Apply(out[c])
			}
		}
	}
}

// maximumGo computes a row of a maximum for the channels from c0 on.
func maximumGo(t *Taps, c0 int) {
	for j := range t.N {
		out := t.Out[t.OutOff+j*t.OutStep:][c0:t.C]
		for c := range out {
			out[c] = float32(math.Inf(-1))
		}
		for i := 0; i+1 < len(t.Tab); i += 2 {
			in := t.In[t.InOff+j*t.InStep+t.Tab[i]+c0:][:len(out)]
			for c := range out {
				out[c] = max(out[c], in[c])
			}
		}
		if t.Act.Kind != None {
			for c := range out {
				out[c] = t.Act.Apply(out[c])
			}
		}
	}
}

// Apply returns the function of one element. Exp and the functions made of it have
// a relative error of at most 3·10⁻⁷ (measured) for exponents within ±87; beyond
// ±expMax the exponent is limited.
func (a Act) Apply(x float32) float32 {
	switch a.Kind {
	case None:
		return x
	case Clip:
		return min(max(x, a.Lo), a.Hi)
	case SiLU:
		return x / (1 + expFloat32(-x))
	case Sigmoid:
		return 1 / (1 + expFloat32(-x))
	case ExpNeg:
		return expFloat32(-x)
	case Leaky:
		if x < 0 {
			return a.Lo * x
		}
		return x
	case HardSigmoid:
		return min(max(a.Lo*x+a.Hi, 0), 1)
	case HardSwish:
		return x * min(max(a.Lo*x+a.Hi, 0), 1)
	case Tanh:
		return 2/(1+expFloat32(-2*x)) - 1
	case Exp:
		return expFloat32(x)
	}
	return float32(math.Sqrt(float64(x)))
}

// The constants of expf in Cephes (S. Moshier): a polynomial for e^r with
// |r| ≤ ½ ln 2, relative error 2⁻²³, and ln 2 in two parts.
const (
	expMax = 87.33654 // -ln of the smallest normal number, rounded down
	log2e  = 1.44269504088896341
	ln2Hi  = 0.693359375
	ln2Lo  = -2.12194440e-4
	exp5   = 1.9875691500e-4
	exp4   = 1.3981999507e-3
	exp3   = 8.3334519073e-3
	exp2   = 4.1665795894e-2
	exp1   = 1.6666665459e-1
	exp0   = 5.0000001201e-1

	// roundShift is 1.5·2²³: the low bits of x + roundShift hold x rounded to an
	// integer, because a float32 has 23 bits of fraction.
	roundShift   = 12582912
	exponentBias = 127 // of a float32, IEEE 754
	fractionBits = 23  // of a float32, IEEE 754
)

// expFloat32 returns eˣ = 2ⁿ·eʳ, with n the integer next to x/ln 2.
func expFloat32(x float32) float32 {
	x = min(max(x, -expMax), expMax)
	n := x*log2e + roundShift
	n -= roundShift
	r := x - n*ln2Hi - n*ln2Lo
	p := float32(exp5)
	p = p*r + exp4
	p = p*r + exp3
	p = p*r + exp2
	p = p*r + exp1
	p = p*r + exp0
	p = p*r*r + r + 1
	return p * math.Float32frombits(uint32(int32(n)+exponentBias)<<fractionBits)
}

// Binary names an operation on two numbers.
type Binary int

// The operations.
const (
	Add Binary = iota
	Sub
	Mul
	Div
	Min
	Max
	Pow
)

// Combine writes out[i·so] = op(a[i·sa], b[i·sb]) for i in 0…n-1. Steps may be 0.
// It panics where a slice is too short.
func Combine(op Binary, out, a, b []float32, n, so, sa, sb int) {
	for i := range n {
		x, y := a[i*sa], b[i*sb]
		switch op {
		case Add:
			x += y
		case Sub:
			x -= y
		case Mul:
			x *= y
		case Div:
			x /= y
		case Min:
			x = min(x, y)
		case Max:
			x = max(x, y)
		case Pow:
			x = float32(math.Pow(float64(x), float64(y)))
		}
		out[i*so] = x
	}
}
