package aim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"kerb/counting"
)

// told is what the page is told several times a second.
type told struct {
	Left     int                       `json:"left"` // seconds
	Watching bool                      `json:"watching"`
	Fault    string                    `json:"fault,omitempty"` // of the camera's view
	Pictures uint64                    `json:"pictures"`
	Pace     float64                   `json:"pace"`
	Viewers  int                       `json:"viewers"`
	Number   uint32                    `json:"number"` // of the plan
	Saved    bool                      `json:"saved"`
	Size     [2]int                    `json:"size"` // of the sketch
	Objects  []thing                   `json:"objects"`
	Counts   map[string][]Cell         `json:"counts"`
	Zones    map[string]map[string]int `json:"zones"`
	Advice   []Advice                  `json:"advice"`
	Tally    *Result                   `json:"tally,omitempty"`
}

// thing is one object's box, in fractions of the picture.
type thing struct {
	Class string     `json:"class"`
	At    [4]float64 `json:"at"` // x, y, x, y
}

const (
	newsEvery = 250 * time.Millisecond
	stale     = 3 * time.Second // after which a camera that said nothing does not deliver
)

// news is a stream of server-sent events until the viewer is gone.
func (s *Server) news(w http.ResponseWriter, r *http.Request, g *guest) {
	w.Header().Set("Content-Type", "text/event-stream")
	ctl := http.NewResponseController(w)
	cookie, _ := r.Cookie(cookie)
	for tick := time.NewTicker(newsEvery); ; {
		b, err := json.Marshal(s.tell())
		if err != nil {
			return // NaN: there is none, see ReadReport
		}
		if ctl.SetWriteDeadline(time.Now().Add(sending)) != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", b); err != nil || ctl.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			tick.Stop()
			return
		}
		if cookie == nil || s.door.known(cookie.Value) != g { // who left, or gave up the place
			return
		}
	}
}

func (s *Server) tell() told {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	t := told{
		Left: max(int((s.o.Until-now)/time.Second), 0), Viewers: s.door.viewers(), Number: s.number, Saved: s.saved,
		Objects: []thing{}, Counts: map[string][]Cell{}, Zones: map[string]map[string]int{}, Advice: []Advice{},
	}
	for id, c := range s.counts {
		t.Counts[id] = cells(c)
	}
	if s.tally != nil {
		r := s.tally.result(now)
		t.Tally = &r
	}
	r := s.last
	if r == nil || now-s.heard > stale {
		return t
	}
	t.Watching, t.Pictures, t.Pace = r.Watching, r.Pictures, round(float64(r.Sketch.View.LooksPerSecond))
	if r.Watching {
		t.Fault = Faults()[r.Fault]
	}
	t.Advice = append(t.Advice, advise(s.plan, &r.Sketch)...)
	t.Size = [2]int{int(r.Sketch.Width), int(r.Sketch.Height)}
	if s.o.Sketches {
		t.Objects = things(&r.Sketch)
	}
	if r.Layout == s.number {
		for i, z := range s.plan.Zones {
			t.Zones[z.ID] = present(z, r.Zones[i])
		}
	}
	return t
}

func cells(c *[counting.Classes][counting.Directions]int) []Cell {
	cs := []Cell{}
	for class := range counting.Class(counting.Classes) {
		for d := range counting.Direction(counting.Directions) {
			if n := c[class][d]; n > 0 {
				cs = append(cs, Cell{Class: class.String(), Dir: d.String(), Device: n})
			}
		}
	}
	return cs
}

func things(s *counting.Sketch) []thing {
	ts := []thing{}
	for _, o := range s.Objects[:s.N] {
		class := "none"
		if o.Value < counting.CellNothing {
			class = counting.Class(o.Value - counting.CellClass).String()
		}
		w, h := float64(s.Width), float64(s.Height)
		ts = append(ts, thing{class, [4]float64{float64(o.X0) / w, float64(o.Y0) / h, float64(o.X1) / w, float64(o.Y1) / h}})
	}
	return ts
}

// present is who stands in a zone, by the classes that it counts.
func present(z Zone, n [counting.Classes]uint8) map[string]int {
	in := map[string]int{}
	for _, name := range z.Classes {
		in[name] = 0
	}
	for c := range counting.Class(counting.Classes) {
		for _, try := range []counting.Class{c, c.WithoutSplit()} {
			if _, ok := in[try.String()]; ok {
				in[try.String()] += int(n[c])
				break
			}
		}
	}
	return in
}
