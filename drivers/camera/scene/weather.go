package scene

// weather is the light of the moment: clouds before the sun, and what the
// camera's automatic exposure makes of it.
type weather struct {
	cond     *Conditions
	chance   chance
	seed     uint64
	now      float64
	base     float64 // the exposure at which the empty street has the right mean
	exposure float64
	step     float64 // the exposure's present step, and where it goes
	goal     float64
	cover    []int32 // share of the sun that reaches each column, 1/256
	table    [256]int32
	knee     [512]uint8 // keeps detail in what is too bright
}

func newWeather(seed uint64, c *Conditions, columns int) weather {
	w := weather{cond: c, chance: chance(mix(seed ^ 0x3ea7)), seed: seed ^ 0xc10d, base: 1, cover: make([]int32, columns)}
	w.now = w.chance.between(0, 600)
	for v := range w.knee {
		w.knee[v] = uint8(v - max(0, v-165)*256/346)
	}
	w.pass(0)
	return w
}

// pass moves on by dt seconds.
func (w *weather) pass(dt float64) {
	c := w.cond
	w.now += dt
	if w.chance.yes(float64(c.Steps * dt / 60)) {
		w.goal = float64(c.Step * w.chance.between(-1, 1))
	}
	w.step = lerp(w.step, w.goal, min(1, float64(dt*5)))
	wave := float64(0.7*sin(w.now/61)) + float64(0.3*sin(w.now/17))
	w.exposure = float64(w.base * (1 + float64(c.Drift*wave)) * (1 + w.step))
	for x := range w.cover {
		w.cover[x] = 256
	}
	if c.Light == Sunny && c.Clouds > 0 {
		for x := range w.cover {
			u := float64(0.8*float64(x))/float64(len(w.cover)) + w.now/14
			thick := smooth(0.42, 0.62, cloth(w.seed, u, 0.5))
			w.cover[x] = int32(256 - float64(240*c.Clouds*thick))
		}
	}
}

// levels of the light of the sky and of the sun or the lamps, per Light.
var levels = [lightsCount]tone{
	Overcast: {1, 1.02, 0.04},
	Sunny:    {1, 0.58, 0.82},
	Twilight: {1, 0.42, 0.5},
	Dark:     {1, 0.16, 0.85},
}

// tone is the light of the moment.
func (w *weather) tone() tone {
	t := levels[w.cond.Light]
	t.exposure = w.exposure
	if w.cond.Rain > 0 {
		t.ambient = float64(t.ambient * (1 - float64(0.2*w.cond.Rain)))
	}
	return t
}

// fill sets the table from direct light to what an albedo is multiplied by,
// in 1/256.
func (w *weather) fill() {
	t := w.tone()
	for l := range w.table {
		w.table[l] = int32(float64(256 * t.exposure * (t.ambient + float64(t.direct*float64(l)/255))))
	}
}

// meter sets the exposure for the empty street as a camera would: a mean
// luma of some 120 by day, less by night, where it finds no more light.
func (w *weather) meter(albedo, lit []uint8) {
	t := levels[w.cond.Light]
	var sum int64
	for i, a := range albedo {
		sum += int64(a) * int64(float64(256*(t.ambient+float64(t.direct*float64(lit[i])/255))))
	}
	mean := float64(sum) / 256 / float64(len(albedo))
	w.base = clamp([lightsCount]float64{128, 118, 82, 58}[w.cond.Light]/max(mean, 1), 0.7, 1.9)
	w.pass(0)
}
