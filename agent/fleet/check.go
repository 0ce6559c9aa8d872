package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"kerb/agent/terminal"
)

// CheckCommand is kerb fleet check.
type CheckCommand struct {
	Broker
	For    time.Duration `help:"Listen for so long: the broker must have sent what it retains." default:"5s"`
	Heads  string        `help:"Keep the heads of the audit logs in this file, and compare with those kept before." placeholder:"F"`
	Ledger string        `help:"Judge windows and events, too: the -state of a kerb relay, or a file of kerb relay -ledger -json." placeholder:"DIR|F"`
	HTML   string        `name:"html" help:"Write a page for printing, too." placeholder:"F"`
	JSON   bool          `help:"As one JSON object."`
}

// Help is the long help: the words of problems.
func (CheckCommand) Help() string {
	var b strings.Builder
	b.WriteString("The retained messages state and meta of each device are judged, and with -ledger what a kerb relay accounts for: numbers of windows, their reasons, and events; no count is read. The exit status is 1 when a device has a problem. The problems are:\n")
	for _, w := range problemWords {
		fmt.Fprintf(&b, "\n%s: %s.", w.Word, w.Meaning)
		if slices.Contains(ledgerWords, w.Word) {
			b.WriteString(" With -ledger.")
		}
	}
	return b.String()
}

// Run judges the fleet and prints the result.
func (c *CheckCommand) Run(ctx context.Context, t terminal.Terminal) error {
	old, err := readHeads(c.Heads)
	if err != nil {
		return err
	}
	ledger, err := readLedger(c.Ledger, time.Now())
	if err != nil {
		return err
	}
	w, err := c.connect("")
	if err != nil {
		return err
	}
	defer w.close()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-w.lost:
		return fmt.Errorf("the connection to the broker is lost: %w", err)
	case <-time.After(c.For):
	}
	h := judgeFleet(w.list(), old, ledger, time.Now())
	if err := errors.Join(writeHeads(c.Heads, h.heads), c.writePage(h)); err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(t.Out).Encode(h)
	} else {
		err = h.print(terminal.Printable(t.Out))
	}
	switch {
	case err != nil:
		return err
	case h.Devices == 0:
		return fmt.Errorf("no device is at %s under kerb/v1/%s", c.Broker.Broker, c.Devices)
	case len(h.Problems) > 0:
		return fmt.Errorf("%d of %d devices have a problem", h.troubled(), h.Devices)
	}
	return nil
}

// list returns the devices in the order of their addresses.
func (w *watch) list() (all []*device) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, address := range sortedKeys(w.devices) {
		d := *w.devices[address]
		all = append(all, &d)
	}
	return all
}

// troubled counts the devices with a problem.
func (h *Health) troubled() int {
	names := map[string]bool{}
	for _, p := range h.Problems {
		names[p.Device] = true
	}
	return len(names)
}

// print prints the judgement as text: sums first, then a line for each problem.
func (h *Health) print(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d devices, %d online\n", h.Devices, h.Online)
	for _, part := range []struct {
		name string
		sums map[string]int
	}{{"kerb", h.Versions}, {"policy", h.Policies}, {"files", h.Sites}} {
		for _, key := range sortedKeys(part.sums) {
			fmt.Fprintf(&b, "%-8s %6d  %s\n", part.name, part.sums[key], key)
		}
	}
	for _, w := range problemWords {
		if n := h.Counts[w.Word]; n > 0 {
			fmt.Fprintf(&b, "%6d  %s: %s\n", n, w.Word, w.Meaning)
		}
	}
	if len(h.Unjudged) > 0 {
		fmt.Fprintf(&b, "not judged without -ledger: %s\n", strings.Join(h.Unjudged, ", "))
	}
	for _, p := range h.Problems {
		fmt.Fprintf(&b, "%-32s %-14s %s\n", p.Device, p.Word, printable(p.Text))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// printable replaces what a device could do to a terminal: control characters and those
// that turn the direction of text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || slices.Contains(bidirectional, r) {
			return '?'
		}
		return r
	}, text)
}

// bidirectional are the characters that turn the direction of text (Unicode TR 9).
var bidirectional = []rune{0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069}

// readHeads reads the heads that were kept before; none from a file that does not exist
// yet, or without a path.
func readHeads(path string) (heads map[string]head, err error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &heads)
	}
	if err != nil {
		return nil, fmt.Errorf("read the heads of the audit logs from %s: %w", path, err)
	}
	return heads, nil
}

// writeHeads replaces the file of the heads.
func writeHeads(path string, heads map[string]head) error {
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(heads, "", " ")
	if err == nil {
		err = os.WriteFile(path+".new", append(b, '\n'), 0o644)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("keep the heads of the audit logs: %w", err)
	}
	return nil
}
