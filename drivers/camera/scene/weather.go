package scene

// weather is the light of the moment: clouds before the sun, and the camera's
// automatic exposure.
type weather struct {
	cond         *Conditions
	rng          splitMix64
	seed         uint64
	now          float64
	baseExposure float64 // the exposure at which the empty street has the right mean
	exposure     float64
	step         float64 // the exposure's present step, and where it goes
	goal         float64
	cover        []int32 // share of the sun that reaches each column, 1/256
	table        [256]int32
	knee         [512]uint8 // highlight knee: compresses luma above kneeStart, so that bright parts keep detail
}

// The highlight knee leaves luma up to kneeStart as it is, and compresses
// kneeStart–511 into kneeStart–255: 511-kneeDrop is 255. The start was chosen
// by hand.
const (
	kneeStart = 165
	kneeRange = 511 - kneeStart
	kneeDrop  = 511 - 255
)

// newWeather builds the highlight knee and starts at a random time.
func newWeather(seed uint64, c *Conditions, columns int) weather {
	w := weather{cond: c, rng: splitMix64(mix64(seed ^ 0x3ea7)), seed: seed ^ 0xc10d, baseExposure: 1, cover: make([]int32, columns)}
	w.now = w.rng.floatIn(0, 600)
	for v := range w.knee {
		w.knee[v] = uint8(v - max(0, v-kneeStart)*kneeDrop/kneeRange)
	}
	w.advanceTime(0)
	return w
}

// advanceTime moves clouds and exposure on by dt seconds.
func (w *weather) advanceTime(dt float64) {
	c := w.cond
	w.now += dt
	if w.rng.trueWith(float64(c.Steps * dt / 60)) {
		w.goal = float64(c.Step * w.rng.floatIn(-1, 1))
	}
	w.step = lerp(w.step, w.goal, min(1, float64(dt*5)))
	wave := float64(0.7*sin(w.now/61)) + float64(0.3*sin(w.now/17))
	w.exposure = float64(w.baseExposure * (1 + float64(c.Drift*wave)) * (1 + w.step))
	for x := range w.cover {
		w.cover[x] = 256
	}
	if c.Light == Sunny && c.Clouds > 0 {
		for x := range w.cover {
			u := float64(0.8*float64(x))/float64(len(w.cover)) + w.now/14
			thick := smoothstep(0.42, 0.62, valueNoise(w.seed, u, 0.5))
			w.cover[x] = int32(256 - float64(240*c.Clouds*thick))
		}
	}
}

// lightLevels holds, per Light, the light of the sky (ambient) and of the sun
// or the lamps (direct).
var lightLevels = [lightCount]illumination{
	Overcast: {1, 1.02, 0.04},
	Sunny:    {1, 0.58, 0.82},
	Twilight: {1, 0.42, 0.5},
	Dark:     {1, 0.16, 0.85},
}

// currentLighting returns the light of the moment.
func (w *weather) currentLighting() illumination {
	t := lightLevels[w.cond.Light]
	t.exposure = w.exposure
	if w.cond.Rain > 0 {
		t.ambient = float64(t.ambient * (1 - float64(0.2*w.cond.Rain)))
	}
	return t
}

// fillTable computes, for each direct light 0–255, the factor of an albedo in
// 1/256.
func (w *weather) fillTable() {
	t := w.currentLighting()
	for l := range w.table {
		w.table[l] = int32(float64(256 * t.exposure * (t.ambient + float64(t.direct*float64(l)/255))))
	}
}

// targetLuma is the mean luma to which the exposure is set, per Light. By night
// a camera finds no more light, and its pictures stay darker. Chosen by hand.
var targetLuma = [lightCount]float64{Overcast: 128, Sunny: 118, Twilight: 82, Dark: 58}

// The range of the base exposure, a factor. Chosen by hand.
const minExposure, maxExposure = 0.7, 1.9

// meterExposure sets the base exposure from the empty street as a camera would:
// to a target mean luma, within the gain that the camera has.
func (w *weather) meterExposure(albedo, lit []uint8) {
	t := lightLevels[w.cond.Light]
	var sum int64
	for i, a := range albedo {
		sum += int64(a) * int64(float64(256*(t.ambient+float64(t.direct*float64(lit[i])/255))))
	}
	mean := float64(sum) / 256 / float64(len(albedo))
	w.baseExposure = clamp(targetLuma[w.cond.Light]/max(mean, 1), minExposure, maxExposure)
	w.advanceTime(0)
}
