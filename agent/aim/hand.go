package aim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"kerb/counting"
)

var errNoTally = errors.New("no tally is being counted")

func (s *Server) tallyStart(_ *guest, body []byte) (any, error) {
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
	return s.tally.result(s.o.Now()), nil
}

func (s *Server) tallyPress(_ *guest, body []byte) (any, error) {
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
	return s.tallied(func(t *tally) error {
		if t.ended > 0 {
			return errNoTally
		}
		t.hand = append(t.hand, press{class: class, dir: dir, at: s.o.Now()})
		return nil
	})
}

// tallyUndo takes the last press back: thumbs slip.
func (s *Server) tallyUndo(*guest, []byte) (any, error) {
	return s.tallied(func(t *tally) error {
		t.hand = t.hand[:max(len(t.hand)-1, 0)]
		return nil
	})
}

func (s *Server) tallyFinish(*guest, []byte) (any, error) {
	return s.tallied(func(t *tally) error {
		t.ended = s.o.Now()
		return nil
	})
}

func (s *Server) tallied(do func(*tally) error) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tally == nil {
		return nil, errNoTally
	}
	if err := do(s.tally); err != nil {
		return nil, err
	}
	return s.tally.result(s.o.Now()), nil
}

// tallyAccept keeps the result as the site's acceptance record.
func (s *Server) tallyAccept(g *guest, _ []byte) (any, error) {
	s.mu.Lock()
	t := s.tally
	saved := s.saved
	var r Result
	if t != nil {
		r = t.result(s.o.Now())
	}
	s.mu.Unlock()
	switch {
	case t == nil || !r.Done:
		return nil, errNoTally
	case !saved:
		return nil, errors.New("save the lines first: the record is about what site.toml says")
	case r.Hand < fewest:
		return nil, fmt.Errorf("%d passages: a record needs %d at least", r.Hand, fewest)
	}
	if err := s.o.Accept(r); err != nil {
		return nil, err
	}
	s.o.Note(g.id, "accepted")
	return r, nil
}
