package counting

import "strings"

// ViewFault is the fault of a camera's view, or ViewGood.
type ViewFault uint8

// The faults of a view. Counting pauses during each of them but ViewDrops.
const (
	ViewGood    ViewFault = iota
	ViewFrozen            // the same picture again and again
	ViewDark              // too dark for edges
	ViewBlinded           // glare, or a veil of light over most of the picture
	ViewCovered           // a large part has lost its structure
	ViewBlurred           // no detail, but light and shade are where they were
	ViewMoved             // structure, but not that of the place for which the lines were drawn
	ViewDrops             // rain, snow or dirt on the lens: spots without detail
	// ViewFaults is their number, with ViewGood.
	ViewFaults = iota
)

const viewPrefix = "camera_"

var viewFaultWords = [ViewFaults]string{
	"", "camera_frozen", "camera_dark", "camera_blinded", "camera_covered", "camera_blurred", "camera_moved", "camera_drops",
}

// String returns the word of the fault on the wire, such as camera_frozen; ""
// for ViewGood.
func (f ViewFault) String() string {
	if f < ViewFaults {
		return viewFaultWords[f]
	}
	return unknownWord
}

// ShortWord returns the word without its prefix, such as frozen.
func (f ViewFault) ShortWord() string { return strings.TrimPrefix(f.String(), viewPrefix) }

// IsKnown reports whether f is ViewGood or one of the faults.
func (f ViewFault) IsKnown() bool { return f < ViewFaults }

// Pauses reports whether counting pauses during this fault, because a count
// would be wrong.
func (f ViewFault) Pauses() bool { return f != ViewGood && f != ViewDrops }

// Reason returns the reason of a window in which counting paused for f.
func (f ViewFault) Reason() Reason {
	r, _ := ParseReason(f.String())
	return r
}
