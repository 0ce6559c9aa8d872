package aim

import (
	"errors"
	"time"
)

// extension is by how much a session is extended at a time. Chosen by hand: a third of
// the time that the standard policy allows, and enough to finish a tally.
const extension = 10 * time.Minute

// timeLeft returns the time until the session expires; 0 or less: it is over.
func (s *Server) timeLeft() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until - s.o.Now()
}

// TimeLeft returns the time until the session expires, at least 0.
func (s *Server) TimeLeft() time.Duration { return max(s.timeLeft(), 0) }

// extendSession moves the end of the session by extension, at most to Opts.Latest, and
// logs that.
func (s *Server) extendSession(g *viewer, _ []byte) (any, error) {
	s.mu.Lock()
	later := min(s.until+extension, s.o.Latest)
	if later <= s.until {
		s.mu.Unlock()
		return nil, errors.New("the policy allows no longer session: start another one when this one is over")
	}
	s.until = later
	s.mu.Unlock()
	s.o.LogExtension(g.id, later)
	return struct{}{}, nil
}
