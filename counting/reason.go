package counting

import "slices"

// Reason says why the quality of a window is not OK. It crosses the pipe
// between the processes as its number and goes on the wire as its word.
type Reason uint8

// The reasons of a window.
const (
	NoReason           Reason = iota
	ReasonUnknown             // a word that this version does not know
	ReasonStarting            // the sensor has not delivered yet
	ReasonStopped             // kerb was stopped
	ReasonStalled             // the sensor delivers too seldom
	ReasonCameraLost          // the camera does not deliver
	ReasonSenseLost           // the sensing process ended
	ReasonDown                // kerb did not run
	ReasonLoopsLost           // the lines of the loops are gone
	ReasonEnded               // a recording of loop edges ended
	ReasonNotObserved         // no loop of the lane was observed
	ReasonLoopRelay           // the card's fault relay has fallen
	ReasonLoopStuckOn         // a loop reports a vehicle for too long
	ReasonLoopChatter         // a loop's line chatters
	ReasonLoopSilent          // a loop has been silent for too long
	ReasonLoopPair            // one of two loops misses vehicles
	ReasonEdgesMissed         // edges were lost between the kernel and kerb
	ReasonLoopDrift           // the on-times of two loops drift apart
	ReasonLoopDaily           // a daily check of a loop failed
	ReasonLoopSlow            // a vehicle may stand on the loop
	ReasonLoopStanding        // a vehicle stands on the loop
	ReasonAiming              // the camera is being aimed
	ReasonCameraFrozen        // the faults of a camera's view: see ViewFault
	ReasonCameraDark
	ReasonCameraBlinded
	ReasonCameraCovered
	ReasonCameraBlurred
	ReasonCameraMoved
	ReasonNoPicture    // no still was taken in the window
	ReasonClosed       // outside the policy's hours
	ReasonClock        // the hour is not known, because the clock is not synchronised
	ReasonCameraClosed // outside the camera's own hours
	ReasonLoopCard     // the edges of a loop are not those of the card's declared mode
	ReasonKeyFrames    // the device is too slow for the camera: it decodes key frames only
	reasons
)

const unknownWord = "unknown"

var reasonWords = [reasons]string{
	"", unknownWord, "starting", "stopped", "stalled", "camera_lost", "sense_lost", "down",
	"loops_lost", "ended", "not_observed", "loop_relay", "loop_stuck_on", "loop_chatter", "loop_silent",
	"loop_pair", "edges_missed", "loop_drift", "loop_daily", "loop_slow", "loop_standing",
	"aiming", "camera_frozen", "camera_dark", "camera_blinded", "camera_covered", "camera_blurred", "camera_moved",
	"no_picture", "closed", "clock", "camera_closed", "loop_card", "key_frames",
}

// String returns the word of the reason on the wire; "" for NoReason.
func (r Reason) String() string {
	if r < reasons {
		return reasonWords[r]
	}
	return unknownWord
}

// IsKnown reports whether r is NoReason or one of the reasons.
func (r Reason) IsKnown() bool { return r < reasons }

// ParseReason returns the reason of a word on the wire, and ReasonUnknown and
// false for any other word.
func ParseReason(word string) (Reason, bool) {
	if i := slices.Index(reasonWords[:], word); i >= 0 {
		return Reason(i), true
	}
	return ReasonUnknown, false
}
