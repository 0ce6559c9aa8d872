package counting

import "time"

// NewGap returns the tally of a window of st that was not observed: quality
// Gap, the reason why, and no counts. Every class of the stream is marked as
// countable, so that the message lists the same cells as a counted window.
func NewGap(st Stream, start, end time.Time, mono time.Duration, why Reason) Tally {
	t := Tally{
		Stream: st.ID, Kind: st.Kind, Start: start, End: end, Mono: mono, Quality: Gap, Reason: why,
	}
	for _, c := range st.Classes {
		t.Counted[c] = true
	}
	return t
}
