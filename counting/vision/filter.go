package vision

import "math"

// filter is a Kalman filter of one coordinate that moves steadily but for
// random pushes (Bar-Shalom, Li and Kirubarajan 2001, §6.3.2: piecewise
// constant white acceleration).
type filter struct {
	x, v          float64 // pixels, pixels per second
	pxx, pxv, pvv float64 // their covariance
}

// start places the filter at z, known to within r, with a speed of 0, known
// to within speed: standard deviations.
func (f *filter) start(z, r, speed float64) { *f = filter{x: z, pxx: r * r, pvv: speed * speed} }

// predict moves on by dt seconds under pushes of so many pixels per second².
func (f *filter) predict(dt, push float64) {
	q := push * push * dt * dt
	f.x += f.v * dt
	f.pxx += dt*(2*f.pxv+dt*f.pvv) + q*dt*dt/4
	f.pxv += dt*f.pvv + q*dt/2
	f.pvv += q
}

// surprise is the squared distance of z from what was expected, in standard
// deviations, when z is known to within r.
func (f *filter) surprise(z, r float64) float64 {
	d := z - f.x
	return d * d / (f.pxx + r*r)
}

// outlier is how many standard deviations a measurement may pull.
const outlier = 3

// correct takes a measurement z, known to within r. One that surprises more
// than an outlier pulls as hard as that and no harder (Huber 1964).
func (f *filter) correct(z, r float64) {
	s := f.pxx + r*r
	d := z - f.x
	if far := outlier * math.Sqrt(s); math.Abs(d) > far {
		d = math.Copysign(far, d)
	}
	kx, kv := f.pxx/s, f.pxv/s
	f.x += kx * d
	f.v += kv * d
	f.pvv -= kv * f.pxv
	f.pxv -= kx * f.pxv
	f.pxx -= kx * f.pxx
}

// turn takes a measurement of the speed, known to within r.
func (f *filter) turn(v, r float64) {
	s := f.pvv + r*r
	d := v - f.v
	if far := outlier * math.Sqrt(s); math.Abs(d) > far {
		d = math.Copysign(far, d)
	}
	kx, kv := f.pxv/s, f.pvv/s
	f.x += kx * d
	f.v += kv * d
	f.pxx -= kx * f.pxv
	f.pxv -= kx * f.pvv
	f.pvv -= kv * f.pvv
}
