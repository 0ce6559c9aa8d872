package policy

import (
	"math"
	"slices"
	"strconv"
	"time"

	"kerb/counting"
)

// A Claim is what one sentence of an explanation says: its kind, and the values in
// force that make it true. Claims makes the claims of a policy; each language has one
// template for each kind, and nothing of an explanation comes from elsewhere. The test
// of claims evaluates each against what the program does.
type Claim struct {
	Kind   string         // such as retention
	Params map[string]any // by the names that the templates use
}

// A Section is a part of an explanation, in the order of the page.
type Section struct {
	Name       string // of the heading; empty: none
	Paragraphs []Paragraph
}

// A Paragraph is a row of sentences. A Point is one of a list.
type Paragraph struct {
	Point  bool
	Claims []Claim
}

// The example numbers of an explanation, and the means of its table of errors, chosen by
// hand.
const (
	exampleCount = 41
	exampleSmall = 3
	exampleMean  = 7 // present on average
)

// ParkedFor is the time for which one vehicle has to stand on a loop until it is told
// without noise, by the fault loop_stuck_on: the StuckOn of loop.DefaultLimits.
const ParkedFor = 12 * time.Hour

// operationalKeys is the number of keys that must have signed an operational policy: see
// Trust.Admit.
const operationalKeys = 2

// claimer makes the claims of a policy.
type claimer struct {
	*terms
	p       *Policy
	section []Section
}

// Claims returns what the explanation of the policy says, sentence by sentence.
func (p *Policy) Claims() []Section {
	c := claimer{terms: &p.terms, p: p}
	c.addHead()
	c.addCounted()
	c.addRecords()
	c.addErrors()
	c.addImpossible()
	c.addStays()
	c.addMeaning()
	return c.section
}

// begin begins a section.
func (c *claimer) begin(name string) { c.section = append(c.section, Section{Name: name}) }

// add adds a paragraph, unless it is empty.
func (c *claimer) add(point bool, claims ...Claim) {
	claims = slices.DeleteFunc(claims, func(x Claim) bool { return x.Kind == "" })
	if s := &c.section[len(c.section)-1]; len(claims) > 0 {
		s.Paragraphs = append(s.Paragraphs, Paragraph{point, claims})
	}
}

// newClaim makes a claim of a kind and of pairs of a name and a value.
func newClaim(kind string, pairs ...any) Claim {
	x := Claim{Kind: kind, Params: map[string]any{}}
	for i := 0; i < len(pairs); i += 2 {
		x.Params[pairs[i].(string)] = pairs[i+1]
	}
	return x
}

// when returns the claim where the condition holds, and else none.
func when(holds bool, x Claim) Claim {
	if holds {
		return x
	}
	return Claim{}
}

func (c *claimer) usesNoise() bool             { return c.Clear.Method == Noise }
func (c *claimer) suppresses() bool            { return c.Clear.Method == Suppress }
func (c *claimer) bands() bool                 { return c.Clear.Method == Bands }
func (c *claimer) isDemo() bool                { return c.Purpose == demonstration }
func (c *claimer) counts(k counting.Kind) bool { return c.p.AllowsKind(k) }

// countsPassages reports whether lines or loops may be counted.
func (c *claimer) countsPassages() bool {
	return c.counts(counting.LineStream) || c.counts(counting.LoopStream)
}

// quantities are those that a stream of an allowed kind may give beside its counts.
func (c *claimer) quantities() (out []counting.Quantity) {
	for _, q := range counting.AllQuantities() {
		if slices.ContainsFunc(c.kinds(), func(k counting.Kind) bool {
			return c.p.AllowedQuantities(counting.QuantitiesOf(k)).Has(q)
		}) {
			out = append(out, q)
		}
	}
	return out
}

// mostParts is the largest number of parts in which a stream divides ε: with the
// quantities that its kind can have.
func (c *claimer) mostParts() (most uint64) {
	for _, k := range c.kinds() {
		most = max(most, countParts(c.p.AllowedQuantities(counting.QuantitiesOf(k))))
	}
	return most
}

// kinds are the kinds of streams that may be counted.
func (c *claimer) kinds() []counting.Kind {
	out := make([]counting.Kind, len(c.Count.Streams))
	for i, k := range c.Count.Streams {
		out[i] = counting.Kind(k)
	}
	return out
}

func (c *claimer) addHead() {
	c.begin("")
	c.add(false, newClaim("policy", "title", c.Title, "version", c.Version, "hash", c.p.Hash()))
	c.begin("who")
	c.add(false, newClaim("controller", "name", c.Controller.Name, "contact", c.Controller.Contact))
	switch {
	case c.isDemo():
		c.add(false, newClaim("demonstration", "window", c.p.Window()))
	case c.Purpose == Operational:
		c.add(false, newClaim("operational", "keys", operationalKeys))
	default:
		c.add(false, newClaim("statistical"))
	}
}

func (c *claimer) addCounted() {
	c.begin("counted")
	c.add(true, when(c.counts(counting.LineStream), newClaim("lines")))
	c.add(true, when(c.counts(counting.ZoneStream), newClaim("zones", "peak", !c.bands())))
	c.add(true, when(c.counts(counting.LoopStream), newClaim("loops")))
	for _, q := range c.quantities() {
		c.add(true, quantityClaim(q))
	}
	classes := make([]counting.Class, len(c.Count.Classes))
	for i, x := range c.Count.Classes {
		classes[i] = counting.Class(x)
	}
	hours := newClaim("hours", "open", c.Hours.Open, "zone", c.Hours.Timezone)
	if c.openMinutes() == wholeWeek() {
		hours = newClaim("always")
	}
	c.add(false, newClaim("classes", "classes", classes), hours)
	for _, s := range c.p.IdleStretches() {
		c.add(false, newClaim("idle", "open", s.Open, "clocks", s.Clocks))
	}
}

// quantityClaim says what a quantity is, and how much one passage changes it.
func quantityClaim(q counting.Quantity) Claim {
	switch q {
	case counting.Occupancy:
		return newClaim("occupancy", "seconds", int(counting.MaxCovered/time.Second))
	case counting.MeanSpeed:
		return newClaim("speed", "kmh", int(counting.MaxSpeed))
	case counting.Standing:
		return newClaim("standing", "most", int(figuresOf[q].sensitivity)/1000)
	}
	return newClaim(q.String(), "changes", int(figuresOf[q].sensitivity))
}

func (c *claimer) addRecords() {
	noise, zones, passages := c.usesNoise(), c.counts(counting.ZoneStream), c.countsPassages()
	c.begin("leaves")
	c.add(false,
		newClaim("record", "window", c.p.Window(), "kinds", c.kinds()),
		newClaim("holds", "directions", passages, "totals", c.Clear.Totals && passages, "bands", c.bands(), "more", len(c.quantities()) > 0),
		newClaim("everyTime", "bands", c.bands(), "half", !noise, "zones", zones))
	switch {
	case noise:
		c.add(false, newClaim("noise", "epsilon", c.Clear.Epsilon), newClaim("again"),
			when(c.Clear.Below > 0, newClaim("below", "below", c.Clear.Below)), when(c.Clear.Below == 0, newClaim("drawn")),
			when(zones, newClaim("zoneNoise", "below", c.Clear.Below,
				"mean", meanAbsNoise(c.Clear.Epsilon/(2*10))/10, "peak", meanAbsNoise(c.Clear.Epsilon/2))))
		c.add(false, when(len(c.quantities()) > 0, newClaim("shares", "parts", int(c.mostParts()))))
	case c.suppresses():
		c.add(false, newClaim("withheld", "below", c.Clear.Below, "totals", c.Clear.Totals),
			when(c.Clear.Round > 1, newClaim("rounded", "step", c.Clear.Round)), when(c.Clear.Round <= 1, newClaim("exact")),
			when(c.Clear.Totals, newClaim("bothWithheld")), when(len(c.quantities()) > 0, newClaim("trafficWithheld")))
	default:
		c.add(false, newClaim("banded", "bands", slices.Clone(c.Clear.Bands)))
	}
	c.add(false, c.exampleClaim())
	c.add(false, newClaim("sums", "bands", c.bands()))
	parked := 0
	if c.counts(counting.LoopStream) {
		parked = int(ParkedFor / time.Hour)
	}
	c.add(false, newClaim("otherMessages", "minutes", 5, "topics", []string{"state", "event", "meta", "ack", "proof"}),
		newClaim("onePasses", "hours", parked), newClaim("listeners"))
	c.add(false, when(c.p.KeepsNow(), newClaim("keepsLast", "kinds", c.kinds())))
	for _, a := range c.Alert {
		c.add(false, newClaim("alert", "stream", a.Stream, "class", counting.Class(a.Class), "raise", a.Raise, "clear", a.Clear,
			"for", time.Duration(a.For), "bands", slices.Clone(c.Clear.Bands)))
	}
}

// exampleClaim is the example, by the method.
func (c *claimer) exampleClaim() Claim {
	r := c.p.newRule()
	if c.usesNoise() && !c.countsPassages() {
		return c.zoneExample()
	}
	if c.usesNoise() {
		h := noiseQuantile(c.Clear.Epsilon, exampleShare)
		hidden, small := noiseHides(c.Clear.Epsilon, c.Clear.Below, exampleCount), noiseHides(c.Clear.Epsilon, c.Clear.Below, exampleSmall)
		if c.Clear.Below > exampleCount-h {
			return newClaim("exampleHidden", "below", c.Clear.Below, "hidden", hidden, "small", small)
		}
		return newClaim("exampleRange", "low", exampleCount-h, "high", exampleCount+h, "below", c.Clear.Below, "small", small)
	}
	if c.suppresses() {
		return newClaim("exampleRounded", "below", c.Clear.Below, "totals", c.Clear.Totals && c.countsPassages(), "given", int(roundToStep(exampleCount, int64(c.Clear.Round), maxCount)))
	}
	from, to := clearer{rule: r}.bandAround(exampleMean)
	return newClaim("exampleBand", "from", int(from), "to", int(to))
}

// zoneExample is the example of a policy under which zones alone are counted. Their
// average has half of ε, in tenths: see clearZone.
func (c *claimer) zoneExample() Claim {
	e, below := c.Clear.Epsilon/(2*10), 10*c.Clear.Below
	h := noiseQuantile(e, exampleShare)
	hidden, small := noiseHides(e, below, 10*exampleCount), noiseHides(e, below, 10*exampleSmall)
	if below > 10*exampleCount-h {
		return newClaim("exampleZoneHidden", "below", c.Clear.Below, "hidden", hidden, "small", small)
	}
	return newClaim("exampleZone", "low", float64(10*exampleCount-h)/10, "high", float64(10*exampleCount+h)/10, "below", c.Clear.Below, "small", small)
}

// noiseHides is the probability that noise of eps brings n below the threshold; 0 without
// a threshold.
func noiseHides(eps float64, below, n int) float64 {
	p := math.Exp(-eps)
	switch {
	case below == 0:
		return 0
	case n >= below: // P(z < below − n) = P(z > n − below)
		return math.Pow(p, float64(n-below+1)) / (1 + p)
	}
	return 1 - math.Pow(p, float64(below-n))/(1+p)
}

func (c *claimer) addErrors() {
	if !c.countsPassages() || c.bands() {
		return
	}
	c.begin("errors")
	x := newClaim("errors", "below", c.Clear.Below)
	for _, m := range []int{5, 50, 500} {
		w, e := c.p.newRule().expectError(float64(m))
		if w >= neverShown {
			e = 0 // none is given
		}
		x.Params["hidden"+strconv.Itoa(m)], x.Params["error"+strconv.Itoa(m)] = w, e
	}
	c.add(false, x)
}

func (c *claimer) addImpossible() {
	c.begin("impossible")
	c.add(true, newClaim("noPicture"))
	c.add(true, newClaim("shortest", "window", c.p.Window()), when(!c.isDemo(), newClaim("leastWindow", "least", c.leastWindow())),
		newClaim("coversLess", "half", !c.usesNoise()), newClaim("restarts"))
	page := newClaim("noStatusPage")
	if c.Status.Page {
		page = newClaim("statusPage")
	}
	if c.usesCamera() {
		c.add(true, when(c.Camera.FollowMax > 0, newClaim("follows", "for", c.p.FollowMax())), when(c.Camera.FollowMax == 0, newClaim("followsNobody")))
		c.add(true, newClaim("pixels", "width", c.Camera.Pixels.w, "height", c.Camera.Pixels.h))
		c.add(true, when(c.Camera.MasksRequired, newClaim("masksRequired", "percent", 100*minMasked)), when(len(c.Mask) > 0, newClaim("masked", "cameras", c.maskedCameras())))
		c.add(true, when(c.Aim.Show == ShowSilhouettes, newClaim("aimShapes", "for", time.Duration(c.Aim.Session))), when(c.Aim.Show != ShowSilhouettes, newClaim("aimNothing")), page)
	} else {
		c.add(true, page)
	}
	stricter := 1
	if c.Purpose == Operational {
		stricter = operationalKeys
	}
	c.add(true, when(len(c.Broker.Commands) > 0, newClaim("commands", "commands", c.p.AllowedCommands())), when(len(c.Broker.Commands) == 0, newClaim("noCommands")),
		when(slices.Contains(c.Broker.Commands, Want), newClaim("want", "stricter", stricter, "looser", 2)), newClaim("brokerChanges"))
	switch n := c.Clear.Overlap; {
	case n == 1:
		c.add(true, newClaim("overlapOne"), newClaim("twins"))
	case c.usesNoise():
		c.add(true, newClaim("overlapNoise", "streams", n), newClaim("twins"))
	default:
		c.add(true, newClaim("overlapBare", "streams", n))
	}
}

func (c *claimer) addStays() {
	c.begin("stays")
	c.add(false, newClaim("exactCounts"), newClaim("retention", "for", c.p.Retention(), "window", c.p.Window()),
		newClaim("timeOff"), when(!c.isDemo(), newClaim("longestRetention", "most", time.Duration(maxRetention))))
}

func (c *claimer) addMeaning() {
	e, zones, passages := c.Clear.Epsilon, c.counts(counting.ZoneStream), c.countsPassages()
	c.begin("meaning")
	switch {
	case c.usesNoise():
		costs := newClaim("costs", "epsilon", e, "belief", posteriorBelief(e), "kinds", c.kinds())
		sum := e * float64(c.Clear.Overlap)
		x := newClaim("exposure", "passages", passages)
		for _, n := range []int{1, 2, 4, 10} {
			x.Params["epsilon"+strconv.Itoa(n)], x.Params["belief"+strconv.Itoa(n)] = e*float64(n), posteriorBelief(e*float64(n))
		}
		c.add(false, costs, when(c.Clear.Overlap > 1, newClaim("costsAll", "streams", c.Clear.Overlap, "epsilon", sum, "belief", posteriorBelief(sum))),
			newClaim("eachCosts"), when(zones, newClaim("classCosts")), x)
		c.add(false, newClaim("habit"))
	case c.suppresses():
		c.add(false, newClaim("noBound"), newClaim("smallProtects", "round", c.Clear.Round),
			newClaim("inWindow", "below", c.Clear.Below, "window", c.p.Window(), "passages", passages))
	default:
		c.add(false, newClaim("noBound"), newClaim("bandsProtect"))
	}
	c.add(false, newClaim("minimised", "noise", c.usesNoise()), newClaim("assess", "camera", c.usesCamera()))
}

// maskedCameras are the cameras for which the policy has masks.
func (t *terms) maskedCameras() (names []string) {
	for _, m := range t.Mask {
		if !slices.Contains(names, m.Camera) {
			names = append(names, m.Camera)
		}
	}
	return names
}
