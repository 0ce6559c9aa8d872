// Package vocabulary holds every word with which kerb tells a platform that something
// is not as it should be: the reasons of windows, the kinds of events with their data,
// and the reasons for which windows are gone. Each has its meaning and what a platform
// shall do.
//
// The words themselves belong to the packages that use them. The tests of this package
// compare both: a word that the program can send and this package does not explain
// fails, and so does one that is explained and never sent. The page
// firmware-notes/words.md and the schema of events are made from these tables.
package vocabulary

import "kerb/counting"

// A Word is one word of a closed list, which a later version may lengthen.
type Word struct {
	Word    string
	Meaning string // what the device has found
	Action  string // what a platform shall do
}

// An Event is one kind of event.
type Event struct {
	Kind    string
	Meaning string
	Action  string
	Data    []Member
}

// A Member is one member of the data of an event.
type Member struct {
	Name     string
	Shape    string // its JSON Schema without the description: the members of an object
	Doc      string
	Optional bool
}

// Reasons explains every reason of a window whose quality is not ok.
func Reasons() []Word {
	known := reasonDocs()
	var all []Word
	for r := counting.NoReason + 1; r.IsKnown(); r++ {
		w := known[r]
		w.Word = r.String()
		all = append(all, w)
	}
	return append(all, Word{"too_short", "Less than half of the window was observed, under a policy without noise. A shorter window would hide fewer people in each number.", none})
}

// The actions that many words share.
const (
	none     = "Nothing: take the window as it is. Do not put 0 in its place."
	visit    = "Send somebody, if it lasts for more than a day."
	lookNow  = "Send somebody: the numbers of this stream do not come back by themselves."
	doubt    = "Use the number, and mark it as doubtful."
	observed = "Nothing: observed_s says how much was observed."
)

// reasonDocs holds the rows of Reasons. They have no place for the word, which the type
// has.
func reasonDocs() map[counting.Reason]Word {
	return map[counting.Reason]Word{
		counting.ReasonUnknown:      {"", "A part of the program gave a reason that this version does not know.", "Report it as a fault of kerb."},
		counting.ReasonStarting:     {"", "The sensor had not delivered yet, after a start of the device or of one process; or its entry in site.toml was changed within the window, and the window is a gap.", observed},
		counting.ReasonStopped:      {"", "kerb was stopped in an orderly way within the window.", observed},
		counting.ReasonStalled:      {"", "Pictures or edges came with pauses of more than 2 s, or not at all.", "Look at the network of the camera and at the load of the device, if it comes again."},
		counting.ReasonCameraLost:   {"", "The camera does not deliver: it is off, refuses, or is not reachable. watching in agent.sensors of state says whether pictures come now.", visit},
		counting.ReasonSenseLost:    {"", "The process that looks at this sensor ended, and another one took its place. The counts of the open window are lost.", "Report it, if it comes more than once a day."},
		counting.ReasonDown:         {"", "kerb did not run: no current, a restart, an update. These gaps are sent after the next start.", none},
		counting.ReasonLoopsLost:    {"", "The GPIO lines of the loops could not be opened, or were lost.", lookNow},
		counting.ReasonEnded:        {"", "A recording of loop edges ended. Only on a bench.", none},
		counting.ReasonNotObserved:  {"", "No loop of the lane was trusted in the window.", visit},
		counting.ReasonLoopRelay:    {"", "The detector card's own fault relay has fallen.", lookNow},
		counting.ReasonLoopCard:     {"", "The edges of a loop cannot come from vehicles through the detector card that site.toml declares: a wrong mode, an extended output, a contact the wrong way round, or both loops on one contact.", "The log of the device, and n of the event, say what was found and which key or switch to change: send somebody."},
		counting.ReasonLoopStuckOn:  {"", "A loop has reported one vehicle for 12 hours. It ends with the second vehicle after it.", lookNow},
		counting.ReasonLoopChatter:  {"", "A loop's line switches faster than vehicles can pass.", lookNow},
		counting.ReasonLoopSilent:   {"", "A loop has been silent for much longer than traffic there explains. A cut wire looks like this, and so does a closed road. Told on the device alone, by the log, `kerb status` and the lamp: one vehicle ends it. The loop counts on.", "Look at the numbers of many hours, and compare with a neighbour before you send somebody."},
		counting.ReasonLoopPair:     {"", "Vehicles pass one of two loops without being seen by the other.", doubt},
		counting.ReasonEdgesMissed:  {"", "Edges were lost between the kernel and kerb.", doubt},
		counting.ReasonLoopDrift:    {"", "The on-times of the two loops of a lane drift apart.", doubt},
		counting.ReasonLoopDaily:    {"", "A daily check of the loop failed.", doubt},
		counting.ReasonLoopSlow:     {"", "A vehicle may stand on the loop.", none},
		counting.ReasonLoopStanding: {"", "A vehicle stands on the loop.", none},
		counting.ReasonAiming:       {"", "The camera is being aimed by an engineer. The event aim says when that begins and ends.", none},
		counting.ReasonCameraFrozen: {"", "The camera sends the same picture again and again.", lookNow},
		counting.ReasonCameraDark:   {"", "The picture is too dark for edges: no light at night, or a closed shutter.", visit},
		counting.ReasonCameraBlinded: {
			"", "Glare, or a veil of light over most of the picture.",
			"Nothing, at sunrise and sunset. Otherwise send somebody.",
		},
		counting.ReasonCameraCovered: {"", "A large part of the picture has lost its structure: something hangs before the lens.", lookNow},
		counting.ReasonCameraBlurred: {"", "The picture has no detail: dew, dirt or focus.", visit},
		counting.ReasonCameraMoved:   {"", "The picture is not of the place for which the lines were drawn.", lookNow},
		counting.ReasonNoPicture:     {"", "A camera that is asked for single pictures gave none in the window.", visit},
		counting.ReasonClosed:        {"", "The window is not wholly within the hours of the policy (hours in meta).", none},
		counting.ReasonClock:         {"", "The policy has hours, and the hour is not known because the clock is not trusted. Nothing is counted.", "Give the device a time server, or clock_floor in site.toml."},
		counting.ReasonCameraClosed:  {"", "Outside the camera's own hours in site.toml.", none},
		counting.ReasonKeyFrames:     {"", "The device is too slow for the camera's H.264 and decodes key frames only: lines do not count, and zones do only where a network looks.", "Set the camera to a smaller picture or fewer pictures a second."},
	}
}
