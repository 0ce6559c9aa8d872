package aim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"kerb/counting"
)

// errTallying is returned for a change of the plan while a tally runs, which would make
// it worthless.
var errTallying = errors.New("a tally is running: stop it first")

// errNoTally is returned for a press without a running tally.
var errNoTally = errors.New("no tally is being counted")

// LineResult is the result of the last finished tally of a line, as it is drawn now.
type LineResult struct {
	Result
	Kept bool `json:"kept"` // stored with Opts.StoreResult
	of   Line
}

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
	return s.updateTally(func(*tally) error {
		s.endTally()
		return nil
	})
}

// endTally ends the tally at most once, and notes its result beside those of the other
// lines. The caller holds the lock.
func (s *Server) endTally() {
	i := slices.IndexFunc(s.plan.Lines, func(l Line) bool { return l.ID == s.tally.line })
	if s.tally.ended > 0 || i < 0 {
		return
	}
	s.tally.ended = max(s.o.Now(), 1)
	s.results = slices.DeleteFunc(s.results, func(r LineResult) bool { return r.Line == s.tally.line })
	s.results = append(s.results, LineResult{Result: s.tally.computeResult(s.o.Now()), of: s.plan.Lines[i].clone()})
}

// clone returns a copy of the line that shares no memory with it.
func (l Line) clone() Line {
	l.Classes = slices.Clone(l.Classes)
	return l
}

// keepRunningTally finishes a tally at the end of the session. It stores the result as if
// the engineer had, where that is allowed and no result of the line is stored yet: what
// was counted by hand for a quarter of an hour is not lost to a clock.
func (s *Server) keepRunningTally() {
	s.mu.Lock()
	if s.tally == nil || s.tally.ended > 0 {
		s.mu.Unlock()
		return
	}
	kept := slices.ContainsFunc(s.results, func(r LineResult) bool { return r.Line == s.tally.line && r.Kept })
	s.endTally()
	s.mu.Unlock()
	if !kept {
		_, _ = s.acceptTally(&viewer{}, nil) // a result that may not be stored is shown alone
	}
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
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.results {
		s.results[i].Kept = s.results[i].Kept || s.results[i].Line == r.Line
	}
	return r, nil
}
