package policy

import (
	"errors"
	"time"
)

// Relabel returns r under the label of the window of its length in which end lies,
// where a window includes its end and not its start. It is for a window that was
// counted while the wall clock was wrong: nothing but the label changes. It returns
// an error for a time that no label can have.
func (r Release) Relabel(end time.Time) (Release, error) {
	if end.UnixMilli() < 1 {
		return r, errors.New("relabel: before 1970")
	}
	length := r.end - r.start
	r.start = (end.UnixMilli() - 1) / length * length
	r.end = r.start + length
	return r, r.checkFields()
}
