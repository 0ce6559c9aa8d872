package policy

import "kerb/agent/mistake"

// demoText is a policy file that counts all classes in windows far below the
// floor. This text alone is exempt from the floor, and for its window alone; it
// is part of the program.
func demoText() string {
	return `schema = "kerb.policy/1"
version = 1
title = "demonstration"
purpose = "statistical"
count.streams = ["line", "zone", "loop"]
count.classes = ` + classList() + `
camera.follow_max = "60s"
clear.window = "5s"
clear.method = "noise"
clear.epsilon = 2
clear.below = 0
clear.overlap = 2
keep.retention = "1h"
`
}

// busyText is the policy of kerb demo -busy.
const busyText = `schema = "kerb.policy/1"
version = 1
title = "demonstration"
purpose = "statistical"
count.streams = ["zone"]
count.classes = ["person"]
camera.follow_max = "0s"
clear.window = "5s"
clear.method = "bands"
clear.bands = [5, 10, 20]
keep.retention = "1h"
alert = [{stream = "pavement", class = "person", raise = 10, clear = 5, for = "5s"}]
`

// Demo is the policy of kerb demo: windows of five seconds, noise of ε = 2. It
// is for the built-in street and for clips that are public already. Parse
// refuses a file with these values.
func Demo() *Policy { return parseDemo(demoText()) }

// DemoLoops is the policy of kerb demo -loops: Demo with quantities of traffic.
func DemoLoops() *Policy {
	return parseDemo(demoText() + "count.quantities = [\"occupancy\", \"speeds\", \"lengths\"]\n")
}

// DemoBusy is the policy of kerb demo -busy: windows of five seconds, bands, and an
// alert for the people in the zone "pavement".
func DemoBusy() *Policy { return parseDemo(busyText) }

// parseDemo returns a policy of the demonstration.
func parseDemo(text string) *Policy {
	t := defaultTerms()
	s := mistake.DecodeTOML("demo", []byte(text), &t)
	t.Purpose = demonstration
	p, err := newPolicy("demo", t, s, true)
	if err != nil {
		panic(err) // the text is a constant, and a test reads it
	}
	return p
}
