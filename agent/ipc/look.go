package ipc

import (
	"fmt"
	"time"
)

// Look holds the findings of a process that read a camera for a moment: numbers
// about its pictures, and nothing of what they show.
type Look struct {
	Width, Height uint16        // of a picture, in pixels
	Pictures      uint32        // that were decoded
	Undecoded     uint32        // that could not be
	First         time.Duration // from the opening to the first picture
	Took          time.Duration // from the first picture to the last
}

func (*Look) recordKind() byte { return 25 }

func (l *Look) walkFields(p *cursor) {
	p.walkUint16(&l.Width)
	p.walkUint16(&l.Height)
	p.walkUint32(&l.Pictures)
	p.walkUint32(&l.Undecoded)
	walk64(p, &l.First, &l.Took)
}

func (l *Look) checkRanges() error {
	if l.First < 0 || l.Took < 0 || l.Pictures > 0 && (l.Width == 0 || l.Height == 0) {
		return fmt.Errorf("a look that cannot be: %+v", *l)
	}
	return nil
}

// Rate returns the pictures a second; 0 where one came, or none.
func (l *Look) Rate() float64 {
	if l.Pictures < 2 || l.Took <= 0 {
		return 0
	}
	return float64(l.Pictures-1) / l.Took.Seconds()
}
