package aim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"kerb/counting"
)

// status is the content of the page, sent several times a second as JSON.
type status struct {
	Left     int                       `json:"left"`           // seconds until the session expires
	More     int                       `json:"more"`           // seconds by which it can be extended now
	Over     string                    `json:"over,omitempty"` // the word of Server.EndSession, in the last status
	Watching bool                      `json:"watching"`
	Trouble  string                    `json:"trouble,omitempty"` // why the camera delivers nothing
	Fault    string                    `json:"fault,omitempty"`   // of the camera's view
	Pictures uint64                    `json:"pictures"`
	Pace     float64                   `json:"pace"`
	Viewers  int                       `json:"viewers"`
	Number   uint32                    `json:"number"` // of the plan
	Saved    bool                      `json:"saved"`
	Size     [2]int                    `json:"size"` // of the sketch, in cells
	Objects  []objectBox               `json:"objects"`
	Counts   map[string][]Cell         `json:"counts"`
	Zones    map[string]map[string]int `json:"zones"`
	Advice   []Advice                  `json:"advice"`
	Tally    *Result                   `json:"tally,omitempty"`
	Results  []LineResult              `json:"results"` // of finished tallies
}

// objectBox is the bounding box of one object, in fractions of the picture.
type objectBox struct {
	Class string     `json:"class"`
	At    [4]float64 `json:"at"` // x, y, x, y
}

// Chosen by hand.
const (
	statusInterval = 250 * time.Millisecond
	staleAfter     = 3 * time.Second // without a report for so long, the camera counts as not delivering
)

// streamStatus sends the status as server-sent events until the viewer
// disconnects, logs out or is replaced. The last one tells of the end of the session,
// with the result of a tally that ran until then.
func (s *Server) streamStatus(w http.ResponseWriter, r *http.Request, g *viewer) {
	w.Header().Set("Content-Type", "text/event-stream")
	ctl := http.NewResponseController(w)
	cookie, _ := r.Cookie(cookieName)
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	for {
		over := isClosed(s.ended)
		b, err := json.Marshal(s.currentStatus())
		if err != nil {
			return // a NaN, which record.ReadReport refuses
		}
		if ctl.SetWriteDeadline(time.Now().Add(sendTimeout)) != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", b); err != nil || ctl.Flush() != nil || over {
			return
		}
		select {
		case <-tick.C:
		case <-s.ended:
		case <-r.Context().Done():
			if !isClosed(s.ended) {
				return
			}
		}
		if cookie == nil || s.login.findViewer(cookie.Value) != g { // logged out or replaced
			return
		}
	}
}

// isClosed reports whether a channel that nothing is sent to is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// currentStatus returns the status. Without a fresh report it leaves out what
// the camera measures.
func (s *Server) currentStatus() status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	t := status{
		Left: max(int((s.until-now)/time.Second), 0), More: max(int(min(s.o.Latest-s.until, extension)/time.Second), 0), Over: s.why,
		Results: append([]LineResult{}, s.results...), Viewers: s.login.viewerCount(), Number: s.number, Saved: s.saved,
		Objects: []objectBox{}, Counts: map[string][]Cell{}, Zones: map[string]map[string]int{}, Advice: []Advice{},
	}
	for id, c := range s.counts {
		t.Counts[id] = countCells(c)
	}
	if s.tally != nil {
		r := s.tally.computeResult(now)
		t.Tally = &r
	}
	r := s.lastReport
	if r == nil || now-s.reportedAt > staleAfter {
		t.Trouble = s.trouble
		return t
	}
	t.Watching, t.Pictures, t.Pace = r.Watching, r.Pictures, roundToTenth(float64(r.Sketch.View.LooksPerSecond))
	if r.Watching {
		t.Fault = counting.ViewFault(r.Fault).ShortWord()
	}
	t.Advice = append(t.Advice, advisePlan(s.plan, &r.Sketch)...)
	t.Size = [2]int{int(r.Sketch.Width), int(r.Sketch.Height)}
	if s.o.Sketches {
		t.Objects = objectBoxes(&r.Sketch)
	}
	if r.Layout == s.number {
		for i, z := range s.plan.Zones {
			t.Zones[z.ID] = zoneOccupancy(z, r.Zones[i])
		}
	}
	return t
}

// countCells returns the classes and directions that were counted.
func countCells(c *[counting.Classes][counting.Directions]int) []Cell {
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

// objectBoxes returns the objects of a sketch, with the class "none" for an
// object that is not counted.
func objectBoxes(s *counting.Sketch) []objectBox {
	ts := []objectBox{}
	for _, o := range s.Objects[:s.N] {
		class := "none"
		if o.Value < counting.CellNothing {
			class = counting.Class(o.Value - counting.CellClass).String()
		}
		w, h := float64(s.Width), float64(s.Height)
		ts = append(ts, objectBox{class, [4]float64{float64(o.X0) / w, float64(o.Y0) / h, float64(o.X1) / w, float64(o.Y1) / h}})
	}
	return ts
}

// zoneOccupancy returns the number of objects in a zone for each class that it
// counts. An object whose class the zone does not count goes to its coarse
// class, or is left out.
func zoneOccupancy(z Zone, n [counting.Classes]uint8) map[string]int {
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
