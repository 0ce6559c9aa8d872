package status

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// count is a message of schema kerb.count/1, as far as it is shown.
type count struct {
	Stream   string    `json:"stream"`
	Epoch    string    `json:"epoch"`
	Seq      uint64    `json:"seq"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Observed *int64    `json:"observed_s"`
	Instants *int64    `json:"observed_instants"`
	Quality  string    `json:"quality"`
	Reason   string    `json:"reason"`
	Policy   string    `json:"policy"`
	Counts   []cell    `json:"counts"`
	Time     struct {
		Synced bool `json:"synced"`
	} `json:"time"`
	traffic
}

// cell is one number of a window, or the range in which it lies.
type cell struct {
	Class string       `json:"class"`
	Dir   string       `json:"dir"`
	N     *json.Number `json:"n"`
	Mean  *json.Number `json:"mean"`
	Peak  *json.Number `json:"peak"`
	Min   *json.Number `json:"min"`
	Below *json.Number `json:"below"`
}

// describe writes a window in one line: time, stream, numbers, quality. Times of the
// present day have no date.
func (w Window) describe() (string, error) {
	var c count
	if err := json.Unmarshal(w.Message, &c); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s–%s  %-16s %s  %s%s", c.Start.Local().Format("2006-01-02 15:04"), c.End.Local().Format("15:04"), c.Stream, c.describeCells()+c.describeTraffic(), c.describeQuality(), w.describePending()), nil
}

func (w Window) describePending() string {
	if w.Pending {
		return ", waits"
	}
	return ""
}

func (c count) describeQuality() string {
	if c.Reason != "" {
		return c.Quality + " (" + c.Reason + ")"
	}
	return c.Quality
}

// describeCells writes the numbers of a window, such as "person a→b 13, b→a 8".
func (c count) describeCells() string {
	if len(c.Counts) == 0 {
		return "no counts"
	}
	var parts []string
	class := ""
	for _, x := range c.Counts {
		var words []string
		if x.Class != class {
			class = x.Class
			words = append(words, class)
		}
		if x.Dir != "" {
			words = append(words, Arrow(x.Dir))
		}
		parts = append(parts, strings.Join(append(words, x.describe()), " "))
	}
	return strings.Join(parts, ", ")
}

// arrows are the directions of kerb.count/1 for people.
var arrows = map[string]string{"a_to_b": "a→b", "b_to_a": "b→a"}

// Arrow writes a direction of kerb.count/1 for people, such as a→b; one that is none as
// it is.
func Arrow(dir string) string {
	if arrow := arrows[dir]; arrow != "" {
		return arrow
	}
	return dir
}

// describe writes the number of a cell, or its range.
func (x cell) describe() string {
	switch {
	case x.N != nil:
		return x.N.String()
	case x.Mean != nil && x.Peak != nil:
		return fmt.Sprintf("mean %s, peak %s", *x.Mean, *x.Peak)
	case x.Mean != nil:
		return "mean " + x.Mean.String()
	case x.Min != nil && x.Below != nil:
		return fmt.Sprintf("%s to below %s", *x.Min, *x.Below)
	case x.Below != nil:
		return "below " + x.Below.String()
	case x.Min != nil:
		return x.Min.String() + " or more"
	}
	return "?"
}

// PrintWindow writes a window as kerb spool lists it, in one line.
func PrintWindow(out io.Writer, w Window) error {
	var c count
	if err := json.Unmarshal(w.Message, &c); err != nil {
		return fmt.Errorf("window: %w", err)
	}
	word := "delivered"
	if w.Pending {
		word = "pending"
	}
	_, err := fmt.Fprintf(out, "%-9s %.8s %-20s %7d  %s  %-12s %s\n", word, c.Epoch, c.Stream, c.Seq,
		c.Start.Format(time.RFC3339), c.describeQuality(), c.describeCells()+c.describeTraffic())
	return err
}

// csvHead names the columns of kerb spool -csv.
var csvHead = []string{
	"epoch", "stream", "seq", "start", "end", "synced", "observed_s", "observed_instants", "quality", "reason", "policy", "delivered",
	"class", "dir", "n", "mean", "peak", "min", "below",
}

// A CSV writes windows as comma-separated values (RFC 4180), one row for each cell; a
// window without counts is one row with an empty class. Call Flush at the end.
type CSV struct {
	w     *csv.Writer
	Since time.Time // windows that start before are left out; zero: none is
}

// NewCSV makes a CSV on out, and writes the head.
func NewCSV(out io.Writer) (CSV, error) {
	w := csv.NewWriter(out)
	return CSV{w: w}, w.Write(csvHead)
}

// WriteWindow writes the rows of a window.
func (c CSV) WriteWindow(w Window) error {
	var m count
	if err := json.Unmarshal(w.Message, &m); err != nil {
		return fmt.Errorf("window: %w", err)
	}
	if m.Start.Before(c.Since) {
		return nil
	}
	row := []string{
		m.Epoch, m.Stream, strconv.FormatUint(m.Seq, 10), m.Start.Format(time.RFC3339), m.End.Format(time.RFC3339), strconv.FormatBool(m.Time.Synced),
		formatInt(m.Observed), formatInt(m.Instants), m.Quality, m.Reason, m.Policy, strconv.FormatBool(!w.Pending),
	}
	cells := m.Counts
	if len(cells) == 0 {
		cells = []cell{{}}
	}
	for _, x := range cells {
		numbers := []string{x.Class, x.Dir}
		for _, n := range []*json.Number{x.N, x.Mean, x.Peak, x.Min, x.Below} {
			text := ""
			if n != nil {
				text = n.String()
			}
			numbers = append(numbers, text)
		}
		if err := c.w.Write(append(row[:len(row):len(row)], numbers...)); err != nil {
			return err
		}
	}
	return nil
}

// Flush writes the buffered rows and returns the first error.
func (c CSV) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

func formatInt(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

// PrintSummary writes the ranges that were dropped, and one line on the whole spool.
func (s *Spool) PrintSummary(out io.Writer, head string) error {
	for _, d := range s.Dropped {
		if _, err := fmt.Fprintf(out, "dropped  %.8s %s %d–%d: %s\n", d.Epoch, d.Stream, d.From, d.To, d.Reason); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%s, %d not delivered; epoch %s, %d KiB of at most %d\n", head, s.Waiting, s.Epoch, s.Used>>10, s.Limit>>10)
	return err
}
