package notice

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"kerb/counting"
)

// windowRow is one window as everybody gets it.
type windowRow struct{ Stream, From, To, Numbers string }

// countMessage has the members of a count message that the page shows.
type countMessage struct {
	Device  string      `json:"device"`
	Stream  string      `json:"stream"`
	Start   string      `json:"start"`
	End     string      `json:"end"`
	Quality string      `json:"quality"`
	Reason  string      `json:"reason"`
	Counts  []countCell `json:"counts"`
}

type countCell struct {
	Class string   `json:"class"`
	Dir   string   `json:"dir"`
	N     *int64   `json:"n"`
	Min   *int64   `json:"min"`
	Below *int64   `json:"below"`
	Mean  *float64 `json:"mean"`
	Peak  *int64   `json:"peak"`
}

// windowRows reads count messages, newest first.
func (s speaker) windowRows(windows []json.RawMessage) (rows []windowRow, err error) {
	var all []countMessage
	for i, raw := range windows {
		var m countMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, fmt.Errorf("window %d: not a count message: %w", i+1, err)
		}
		if m.Device == s.rec.Device.Name.Value {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b countMessage) int {
		if c := strings.Compare(b.Start, a.Start); c != 0 {
			return c
		}
		return strings.Compare(a.Stream, b.Stream)
	})
	for _, m := range all {
		row := windowRow{m.Stream, moment(m.Start), moment(m.End), s.page.gap}
		if m.Quality != "gap" {
			row.Numbers = s.cells(m.Counts)
		}
		if m.Reason != "" { // also of a window that was seen in part
			row.Numbers += " (" + m.Reason + ")"
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// cells are the numbers of one window in words.
func (s speaker) cells(counts []countCell) string {
	var said []string
	for _, c := range counts {
		name := c.Class
		if class, err := counting.ParseClass(c.Class); err == nil {
			name = s.names[class]
		}
		if c.Dir != "" {
			name += " " + strings.ReplaceAll(c.Dir, "_to_", "→")
		}
		said = append(said, name+": "+s.number(c))
	}
	return strings.Join(said, "; ")
}

// number is the value of one cell.
func (s speaker) number(c countCell) string {
	switch {
	case c.N != nil:
		return fmt.Sprint(*c.N)
	case c.Min != nil && c.Below != nil:
		return fmt.Sprintf("%d–%d", *c.Min, *c.Below-1)
	case c.Min != nil:
		return fmt.Sprintf("≥ %d", *c.Min)
	case c.Below != nil:
		return fmt.Sprintf(s.page.belowWord, *c.Below)
	case c.Mean != nil && c.Peak != nil:
		return fmt.Sprintf("⌀ %.1f, max. %d", *c.Mean, *c.Peak)
	case c.Mean != nil:
		return fmt.Sprintf("⌀ %.1f", *c.Mean)
	}
	return "–"
}
