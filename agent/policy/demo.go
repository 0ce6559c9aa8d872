package policy

import "kerb/agent/mistake"

// demoText counts everything in windows far below the floor. Only this text,
// which is part of the program, is exempt from it, and only for its window.
const demoText = `schema = "kerb.policy/1"
version = 1
title = "demonstration"
purpose = "statistical"
count.streams = ["line", "zone", "loop"]
count.classes = ["person", "bicycle", "vehicle", "motorcycle", "car", "heavy"]
camera.follow_max = "60s"
clear.window = "5s"
clear.method = "noise"
clear.epsilon = 2
clear.below = 0
clear.overlap = 2
keep.retention = "1h"
`

// Demo is the policy of kerb demo: five-second windows, noise of ε 2. It is
// for streets that do not exist and clips that are public already; no file can
// say what it says.
func Demo() *Policy {
	t := defaultTerms()
	s := mistake.DecodeTOML("demo", []byte(demoText), &t)
	t.Purpose = demonstration
	p, err := newPolicy("demo", t, s, true)
	if err != nil {
		panic(err) // the text is a constant, and a test reads it
	}
	return p
}
