package main

import (
	"context"
	"errors"
	"time"

	"kerb/drivers/loop"
)

// runGone removes the chip while its lines are read, and returns the driver's
// error.
func runGone(s *simChip) (any, error) {
	port, err := openTimed()
	if err != nil {
		return nil, err
	}
	defer port.Close()
	go func() {
		time.Sleep(300 * time.Millisecond)
		s.live.WriteAt([]byte("0"), 0)
	}()
	var buf [16]loop.Edge
	for start := s.now(); s.now() < start+5*time.Second; {
		if _, _, err := port.ReadEdges(context.Background(), buf[:]); err != nil {
			return map[string]any{"error": err.Error(), "gone": errors.Is(err, loop.ErrGone)}, nil
		}
	}
	return nil, errors.New("the chip was taken away and nothing was said")
}
