package vision

import "math"

// kalman is a Kalman filter of one coordinate that moves steadily but for
// random pushes (Bar-Shalom, Li and Kirubarajan 2001, §6.3.2: piecewise
// constant white acceleration).
type kalman struct {
	x, v          float64 // pixels, pixels per second
	pxx, pxv, pvv float64 // their covariance
}

// startAt places the filter at z, known to within r, with a speed of 0, known
// to within speed: standard deviations.
func (f *kalman) startAt(z, r, speed float64) { *f = kalman{x: z, pxx: r * r, pvv: speed * speed} }

// predict moves on by dt seconds under pushes of so many pixels per second².
func (f *kalman) predict(dt, push float64) {
	q := push * push * dt * dt
	f.x += f.v * dt
	f.pxx += dt*(2*f.pxv+dt*f.pvv) + q*dt*dt/4
	f.pxv += dt*f.pvv + q*dt/2
	f.pvv += q
}

// mahalanobis2 is the squared distance of z from what was expected, in standard
// deviations, when z is known to within r.
func (f *kalman) mahalanobis2(z, r float64) float64 {
	d := z - f.x
	return d * d / (f.pxx + r*r)
}

// huberLimit is how many standard deviations a measurement may pull.
const huberLimit = 3

// correctPosition takes a measurement z, known to within r. One that surprises more
// than an outlier pulls as hard as that and no harder (Huber 1964).
func (f *kalman) correctPosition(z, r float64) {
	s := f.pxx + r*r
	d := z - f.x
	if far := huberLimit * math.Sqrt(s); math.Abs(d) > far {
		d = math.Copysign(far, d)
	}
	kx, kv := f.pxx/s, f.pxv/s
	f.x += kx * d
	f.v += kv * d
	f.pvv -= kv * f.pxv
	f.pxv -= kx * f.pxv
	f.pxx -= kx * f.pxx
}

// correctSpeed takes a measurement of the speed, known to within r.
func (f *kalman) correctSpeed(v, r float64) {
	s := f.pvv + r*r
	d := v - f.v
	if far := huberLimit * math.Sqrt(s); math.Abs(d) > far {
		d = math.Copysign(far, d)
	}
	kx, kv := f.pxv/s, f.pvv/s
	f.x += kx * d
	f.v += kv * d
	f.pxx -= kx * f.pxv
	f.pxv -= kx * f.pvv
	f.pvv -= kv * f.pvv
}
