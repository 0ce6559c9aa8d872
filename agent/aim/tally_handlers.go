package aim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"kerb/counting"
)

// errNoTally is returned for a press without a running tally.
var errNoTally = errors.New("no tally is being counted")

// startTally starts a tally on one line and drops the one before.
func (s *Server) startTally(_ *viewer, body []byte) (any, error) {
	var ask struct{ Line string }
	if err := json.Unmarshal(body, &ask); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.plan.Lines, func(l Line) bool { return l.ID == ask.Line }) {
		return nil, fmt.Errorf("no line is called %q", ask.Line)
	}
	s.tally = &tally{line: ask.Line, began: s.o.Now()}
	return s.tally.computeResult(s.o.Now()), nil
}

// addPress adds a passage that the engineer saw.
func (s *Server) addPress(_ *viewer, body []byte) (any, error) {
	var ask struct{ Class, Dir string }
	if err := json.Unmarshal(body, &ask); err != nil {
		return nil, err
	}
	class, err := counting.ParseClass(ask.Class)
	if err != nil {
		return nil, err
	}
	dir, err := counting.ParseDirection(ask.Dir)
	if err != nil {
		return nil, err
	}
	return s.updateTally(func(t *tally) error {
		if t.ended > 0 {
			return errNoTally
		}
		t.hand = append(t.hand, passage{class: class, dir: dir, at: s.o.Now()})
		return nil
	})
}

// undoPress removes the last press, which may have been a slip of the thumb.
func (s *Server) undoPress(*viewer, []byte) (any, error) {
	return s.updateTally(func(t *tally) error {
		t.hand = t.hand[:max(len(t.hand)-1, 0)]
		return nil
	})
}

// finishTally ends the tally; its result is final.
func (s *Server) finishTally(*viewer, []byte) (any, error) {
	return s.updateTally(func(t *tally) error {
		t.ended = s.o.Now()
		return nil
	})
}

// updateTally changes the tally under the lock and returns its result.
func (s *Server) updateTally(do func(*tally) error) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tally == nil {
		return nil, errNoTally
	}
	if err := do(s.tally); err != nil {
		return nil, err
	}
	return s.tally.computeResult(s.o.Now()), nil
}

// acceptTally stores the result of a finished tally as the acceptance record of
// the line. It refuses a plan that is not saved and a tally of fewer than
// minPassages.
func (s *Server) acceptTally(g *viewer, _ []byte) (any, error) {
	s.mu.Lock()
	t := s.tally
	saved := s.saved
	var r Result
	if t != nil {
		r = t.computeResult(s.o.Now())
	}
	s.mu.Unlock()
	switch {
	case t == nil || !r.Done:
		return nil, errNoTally
	case !saved:
		return nil, errors.New("save the lines first: the record is about what site.toml says")
	case r.Hand < minPassages:
		return nil, fmt.Errorf("%d passages: a record needs %d at least", r.Hand, minPassages)
	}
	if err := s.o.StoreResult(r); err != nil {
		return nil, err
	}
	s.o.LogAction(g.id, "accepted")
	return r, nil
}
