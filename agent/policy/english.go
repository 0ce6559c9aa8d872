package policy

import (
	"kerb/agent/week"
	"kerb/counting"
)

// english is the explanation in English: a template over page.
const english = `{{or .Title "A policy without a title"}}, version {{.Version}}
{{.Hash}}

WHO ANSWERS FOR IT
Controller: {{or .Controller.Name "not provided"}}. Contact: {{or .Controller.Contact "not provided"}}.
{{if .IsDemo}}This is for demonstrations, with a window that no policy file may have.
{{else if .IsOperational}}The purpose is operational: the numbers steer something now. That is why a device takes this policy only with the signatures of two keys. Whose keys they are is in the device's own file (site.toml): ask who holds them.
{{else}}The purpose is statistics: the numbers describe a place. They are not for steering anything at once. Is anything steered by them, such as a signal, the purpose is operational: ask, for a device cannot know.{{end}}

WHAT IS COUNTED
{{if .CountsLines}}- Over lines in a camera's picture: how many cross, and to which side.
{{end}}{{if .CountsZones}}- In zones of a camera's picture: how many are there{{if or .UsesNoise .UsesSuppression}}, on average and at most at once{{else}} on average{{end}}.
{{end}}{{if .CountsLoops}}- Over loops in the road: how many pass.
{{end}}{{range .QuantitySentences}}- {{.}}
{{end}}Only these: {{classes .Count.Classes}}. {{if .OpenAllHours}}At all hours of every day.{{else}}Only {{shifts .Hours.Open}} ({{.Hours.Timezone}}); a window that is not wholly within these hours leaves as a gap, without numbers.{{end}}

WHAT LEAVES THE DEVICE, AND WHEN
Every {{every .Clear.Window}}, one record for each {{.StreamKinds}}. It holds the names of device and stream, a running number, the time of the window, by the device's clock since its start too, how many tenths of it were seen and why not all, what is said below about noise, the fingerprint above, and for each class{{if .CountsPassages}} and direction{{end}}{{if and .Clear.Totals .CountsPassages}}, and over a line or loop for both directions together,{{end}} {{if or .UsesNoise .UsesSuppression}}a number{{else}}a band{{end}}. It has no place for anything else. Every {{if or .UsesNoise .UsesSuppression}}number{{else}}band{{end}} is there every time, also when nothing passed, but for a gap: a window that was not seen{{if not .UsesNoise}}, or less than half of it,{{end}} has none{{if .CountsZones}}, nor has a zone in a window in which the device stopped{{end}}.
{{if .UsesNoise}}Before a number is stored, a random amount is added to it, once: exact discrete Laplace noise, ε = {{short .Clear.Epsilon}}. A record that is sent again is the same record. {{if .Clear.Below}}A number below {{.Clear.Below}} is then given only as "below {{.Clear.Below}}".{{else}}It is given as drawn, so that sums come out right on average; a small one can be below zero.{{end}}{{if .CountsZones}} In a zone half of ε goes to the average and half to the most at once{{if .Clear.Below}}, and both are withheld if the average is below {{.Clear.Below}}{{end}}; their mean errors are {{number .ZoneMeanError 1}} and {{number .ZonePeakError 1}}.{{end}}
{{if .Count.Quantities}}A stream that gives more than its counts divides the same ε equally: with all of the above that one stream can have, the counts and each of the others get 1/{{.QuantityParts}} of it, so the noise on each, on the counts too, is {{.QuantityParts}} times as large as with counts alone.
{{end}}{{else if .UsesSuppression}}No noise is added. A number below {{.Clear.Below}} is withheld: the record says "below {{.Clear.Below}}". {{if gt .Clear.Round 1}}Every other is rounded to the nearest {{.Clear.Round}}.{{else}}Every other is given exactly.{{end}}{{if .Clear.Totals}} If one of two directions is withheld, so is the other, or the total would tell it.{{end}}{{if .Count.Quantities}} Occupancy and mean speed are given only in a window of which at least one number is.{{end}}
{{else}}No noise is added, and no number is given, only the band that the average is in: {{list .BandNames}}.
{{end}}An example: {{if .UsesNoise}}{{if .ExampleIsHidden}}a true 41 leaves as "below {{.Clear.Below}}" in {{percent .ExampleHidden}} of the windows, and else as a number{{else}}a true 41 leaves as a number from {{.ExampleLow}} to {{.ExampleHigh}} in nine windows of ten{{end}}{{if .Clear.Below}}; a true 3 leaves as "below {{.Clear.Below}}" in {{percent .ExampleWithheld}} of the windows{{end}}.{{else if .UsesSuppression}}a true 41 leaves as {{if gt .Clear.Below 41}}"below {{.Clear.Below}}"{{else}}{{.ExampleRounded}}{{end}}, a true 3 as "below {{.Clear.Below}}".{{else}}seven present on average leave as "{{.ExampleBand}}".{{end}}
Sums over hours and days are made from these {{if or .UsesNoise .UsesSuppression}}numbers{{else}}bands{{end}}. No exact count is kept to make better ones.
Other messages are about the device: "state", every five minutes (walls, clock, storage, faults, numbers of pictures as powers of two), "event" (faults of a camera or loop, restarts, aiming, lost records), "meta" (place, streams, this policy in short, and the counts by hand and by device of a test by the engineer, which no policy clears), "ack" (answers to commands) and "proof" (that messages arrive). What they say of a camera's view or a loop changes with a window, and not by one who passes. Without TLS, and with the broker, whoever listens reads them all.
{{if .KeepsNow}}The broker keeps the last record of each {{.StreamKinds}} for those who ask later, until the next one takes its place.
{{end}}{{range .AlertTexts}}When {{.Stream}} has given the band {{.Raise}} of {{.Class}} for {{span .For}}, or a higher one, a message says that it is busy, and another one when the band has been below {{.Clear}} for as long. Both are made from the bands alone, and tell nothing that the bands do not tell.
{{end}}{{if and .CountsPassages (or .UsesNoise .UsesSuppression)}}
ERROR TO EXPECT
{{.ErrorTable "passing one way in a window, on average" (printf "windows given as \"below %d\"" .Clear.Below) "mean error of a number given"}}
{{end}}
WHAT CANNOT HAPPEN, AND WHY
- No picture, sound, face, number plate or route can leave by this way: a record has no place for it.
- Nobody can ask for windows shorter than {{span .Clear.Window}}: no others are made.{{if not .IsDemo}} A policy with less than {{span .ShortestWindow}} does not load with this method.{{end}} A record covers less only if the device started, stopped or lost its view, and says so, in tenths{{if not .UsesNoise}}; if less than half was seen, it gives nothing{{end}}. Who may restart the device can make that happen; who has the broker cannot.
{{if .UsesCamera}}- {{if .Camera.FollowMax}}Nobody can be followed for longer than {{span .Camera.FollowMax}}, nor from one camera to another or from one day to the next: after that an object is a new one.{{else}}Nobody can be followed at all: objects are counted where they are, and lines cannot be counted.{{end}}
- No picture larger than {{.Camera.Pixels}}, or as many pixels in another shape, is looked at.
{{if .Camera.MasksRequired}}- No camera can be used without a mask: {{else if .Mask}}- Masked areas cannot be looked at: {{end}}{{if or .Mask .Camera.MasksRequired}}what is masked is blackened before anything looks at the picture.{{if .Mask}} This policy itself masks areas of {{list .MaskNames}}.{{end}}
{{end}}- The page for aiming a camera {{if .ShowsSilhouettes}}can show flat shapes of what moves, for at most {{span .Aim.Session}} at a time. It cannot show a picture.{{else}}shows nothing of the picture.{{end}}
{{end}}- The broker {{if .Broker.Commands}}can ask for this and nothing else: {{list .CommandNames}}. {{if .AllowsWant}}With want it can pass on another policy or site file. The device takes it only with signatures by keys that its site file trusts, one for a stricter policy, two for a looser one or a site file, and only in a higher version; it tries it, and goes back by itself. The broker itself{{else}}It{{end}}{{else}}cannot command anything. It{{end}} cannot change what is counted.
{{if eq .Clear.Overlap 1}}- No two records of a sensor can be taken from each other to find what one of them hides: the same object may be counted in one only. Two names for one address, device, program or contact are one sensor. Two addresses of one camera are, where their form tells it, as of main and second stream; other pairs are not found: look at the site file.
{{else if .UsesNoise}}- Taking records from each other tells no more than is reckoned below: the same object may be counted in at most {{.Clear.Overlap}} streams of one sensor. Two names for one address, device, program or contact are one sensor. Two addresses of one camera are, where their form tells it, as of main and second stream; other pairs are not found: look at the site file.
{{else}}- The same object cannot be counted in more than {{.Clear.Overlap}} streams of one sensor. (But in so many it can, and without noise their difference may tell of single passages.)
{{end}}
HOW LONG ANYTHING STAYS
Exact counts: in memory, until the window ends, and for seconds after it. They do not reach the process with a network. Records: on the device for at most {{span .Keep.Retention}} and one window, delivered or not. While the device's clock cannot be trusted, time for which it was off does not count{{if not .IsDemo}}; a policy with more than {{span .LongestRetention}} does not load{{end}}.

WHAT IT MEANS FOR SOMEBODY WHO PASSES
{{if .UsesNoise}}{{if .CountsPassages}}One passage over one {{.PassageKinds}}{{if .CountsZones}}, or one stay in one zone during one window,{{end}}{{else}}One stay in one zone during one window{{end}} costs at most ε = {{short .Clear.Epsilon}}. That is: whoever held it for as likely as not (50 %) that you passed, and knows everything about everybody else, can be at most {{percent .PassageBelief}} sure after seeing the number.{{if gt .Clear.Overlap 1}} Being counted in all {{.Clear.Overlap}} streams of a sensor that may count you costs ε = {{short .SensorLoss}}: at most {{percent .SensorBelief}}.{{end}} Every passage costs again, past another sensor as well, and who is counted twice by mistake pays twice. {{if .CountsZones}}A stay that is seen as several classes, one after the other, costs up to half of ε and half of ε for each of them. {{end}}C {{if .CountsPassages}}passages{{else}}windows{{end}} at the same place cost C times ε together:
{{.ExposureTable (or (and .CountsPassages "passages") "windows") "ε together" "from 50 % sure to at most"}}
A habit is hidden less well than a single passage: of somebody who is known to pass often, at known times, the sum of many windows tells more.
{{else if .UsesSuppression}}There is no noise, so nothing bounds what can be told by somebody who knows everything about everybody else in the window. What protects you is that small numbers are withheld{{if gt .Clear.Round 1}} and others rounded: one more changes what is given where the withheld numbers end, and once in {{.Clear.Round}} numbers above{{end}}. {{if .CountsPassages}}Each passage, of C in a day, stands in a window of {{span .Clear.Window}} with at least {{.Clear.Below}} of its class and direction, or the number is withheld.{{else}}Each stay is in a window of {{span .Clear.Window}} with {{.Clear.Below}} of its class on average, or the numbers are withheld.{{end}}
{{else}}There is no noise, so nothing bounds what can be told by somebody who knows everything about everybody else in the window. What protects you is that bands are wide: one person more shows only where one band ends and the next begins. Each of C visits is hidden in that way, each by itself.
{{end}}The numbers are data-minimised{{if .UsesNoise}} and protected per passage{{end}}. {{if .UsesCamera}}Pictures are processed on the device all the same, so{{else}}The device stands in a public place all the same, so check whether{{end}} an impact assessment, a notice on the spot and a legal basis are needed.
`

var englishWords = words{
	and: "and", or: "or", streamKinds: [...]string{"line", "zone", "loop"}, point: ".", more: "or more",
	classes: [...]string{
		counting.Person: "people", counting.Bicycle: "bicycles with their riders", counting.Vehicle: "vehicles",
		counting.Motorcycle: "motorcycles", counting.Car: "cars", counting.Heavy: "heavy vehicles",
	},
	units: [...]unit{{"second", "seconds", "seconds", "second"}, {"minute", "minutes", "minutes", "minute"}, {"hour", "hours", "hours", "hour"}, {"day", "days", "days", "day"}},
	week:  week.DayNames(),
	quantities: [...]string{
		counting.Occupancy: "For how much of the window a loop was covered. Of one vehicle at most 4 seconds count.",
		counting.MeanSpeed: "The mean speed of vehicles over a loop, or over a line whose street is measured, and of how many. Of one vehicle at most 150 km/h count.",
		counting.Speeds:    "How many vehicles were how fast, in steps of 10 km/h. One vehicle changes one of these numbers, by one.",
		counting.Lengths:   "How many vehicles were how long, in classes. One vehicle changes one of these numbers, by one.",
		counting.Headways:  "How many vehicles came how long after the one before, front to front. One vehicle changes three of these numbers at most, by one each, as it divides the time between two others.",
		counting.Gaps:      "How many vehicles came how long after the one before, back to front. One vehicle changes three of these numbers at most, by one each.",
		counting.Standing:  "How many in a zone stand, slower than half a metre a second, and how many move, on average. One stay changes all these numbers by one together at most, for all of a window.",
		counting.Congested: "How many vehicles covered a loop for a whole interval of 4 seconds. One vehicle counts once.",
	},
	effects: [...]string{"CHANGED", "STRICTER", "LOOSER"},
}
