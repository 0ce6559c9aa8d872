package vision

import "math"

// kalman is a Kalman filter of one coordinate with constant velocity and white
// acceleration, piecewise constant (Bar-Shalom, Li and Kirubarajan 2001, §6.3.2).
type kalman struct {
	x, v          float64 // pixels, pixels per second
	pxx, pxv, pvv float64 // their covariance
}

// startAt starts the filter at position z and speed 0; r and speed are their
// standard deviations.
func (f *kalman) startAt(z, r, speed float64) { *f = kalman{x: z, pxx: r * r, pvv: speed * speed} }

// predict advances the state by dt seconds. acceleration is the standard deviation
// of the process noise, in pixels per second².
func (f *kalman) predict(dt, acceleration float64) {
	q := acceleration * acceleration * dt * dt
	f.x += f.v * dt
	f.pxx += dt*(2*f.pxv+dt*f.pvv) + q*dt*dt/4
	f.pxv += dt*f.pvv + q*dt/2
	f.pvv += q
}

// mahalanobis2 is the squared distance of z from the predicted position, in
// standard deviations. r is the standard deviation of z.
func (f *kalman) mahalanobis2(z, r float64) float64 {
	d := z - f.x
	return d * d / (f.pxx + r*r)
}

// huberLimit is the most standard deviations by which a measurement may differ from
// the prediction; more is cut to it (Huber 1964). Chosen by hand: the usual three
// sigma.
const huberLimit = 3

// correctPosition updates the state with a measured position z of standard
// deviation r.
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

// correctSpeed updates the state with a measured speed v of standard deviation r.
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
