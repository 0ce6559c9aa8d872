package policy

import "math"

// posteriorBelief is the largest probability that an observer can assign to a
// fact after seeing a number that spent eps, if it was 1/2 before: e^ε/(1+e^ε).
// This is the meaning of ε (Dwork and Roth 2014, section 2.3) as a probability.
func posteriorBelief(eps float64) float64 { return 1 / (1 + math.Exp(-eps)) }

// noiseQuantile is the smallest h for which noise of eps stays in -h…h with at
// least the given probability.
func noiseQuantile(eps, probability float64) int {
	p := math.Exp(-eps)
	for h := 0; ; h++ {
		if 1-2*math.Pow(p, float64(h+1))/(1+p) >= probability {
			return h
		}
	}
}

// meanAbsNoise is the mean of |z| for discrete Laplace noise: 2p/(1-p²), p =
// e^-ε.
func meanAbsNoise(eps float64) float64 {
	p := math.Exp(-eps)
	return 2 * p / (1 - p*p)
}

// poissonTail is the number of standard deviations above the mean after which
// the sum over a Poisson distribution ends. The rest is below the precision of a
// float64. Chosen by hand.
const poissonTail = 20

// expectError gives the effect of a rule on a line with a Poisson number of
// passages in each window, with the given mean: the part of the windows that is
// withheld, and the mean absolute error of the others. With totals the other
// direction has as many passages, and hides this one when it is withheld
// itself.
func (u rule) expectError(mean float64) (withheld, err float64) {
	pmf, shown := math.Exp(-mean), 0.0
	last := int(mean + poissonTail*math.Sqrt(mean) + poissonTail)
	for n := 0; n < last; n++ {
		s, e := u.errorAt(n)
		shown += pmf * s
		err += pmf * e
		pmf *= mean / float64(n+1)
	}
	if shown == 0 {
		return 1, 0
	}
	err /= shown
	if u.totals {
		shown *= shown
	}
	return max(0, 1-shown), err
}

// errorAt is the probability that n is shown, and the mean absolute error of n
// where it is, times that probability.
func (u rule) errorAt(n int) (shown, err float64) {
	if u.method != Noise {
		if n < int(u.below) {
			return 0, 0
		}
		return 1, math.Abs(float64(roundToStep(int64(n), int64(u.round), maxCount) - int64(n)))
	}
	eps := float64(u.epsilon) / 1000
	p := math.Exp(-eps)
	least := float64(int(u.below) - n) // of the noise that lets n be shown
	switch {
	case u.below == 0:
		return 1, meanAbsNoise(eps)
	case least >= 1:
		return math.Pow(p, least) / (1 + p), tailSum(p, least)
	default:
		return 1 - math.Pow(p, 1-least)/(1+p), meanAbsNoise(eps) - tailSum(p, 1-least)
	}
}

// tailSum is the sum over z ≥ a of z times its probability, for a ≥ 1.
func tailSum(p, a float64) float64 {
	q := (1 - p) / (1 + p)
	return q * math.Pow(p, a) * (a - (a-1)*p) / ((1 - p) * (1 - p))
}
