package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"kerb/agent/policy"
	"kerb/agent/terminal"
	"kerb/agent/want"
)

// SendCommand is kerb fleet send.
type SendCommand struct {
	Dir string `arg:"" help:"The folder of kerb fleet sign."`
	Broker
	Stages []string      `help:"How many devices have it after each stage: numbers, parts such as 1%, or all." default:"1,1%,all"`
	Wait   time.Duration `help:"The longest that a stage may take, beyond the trial." default:"15m"`
	Stop   int           `help:"Go on while at most so many devices refuse or go back." default:"0" placeholder:"N"`
	JSON   bool          `help:"One JSON object for each device that ends, and one for the whole."`
}

// Help is the long help: order and resumption.
func (SendCommand) Help() string {
	return `The messages are retained: a device that is offline takes its own when it comes back, and is told as waiting, and so is one whose policy does not have the command want (not_allowed), at once. The command can be ended and started again at any time: devices that have the version already count as done. The exit status is 0 when all devices of all stages keep the files or wait, and 1 when more than -stop refuse or go back.`
}

// Run sends the messages stage by stage.
func (c *SendCommand) Run(ctx context.Context, t terminal.Terminal) error {
	messages, err := readMessages(c.Dir)
	if err != nil {
		return err
	}
	ends, err := parseStages(c.Stages, len(messages))
	if err != nil {
		return err
	}
	w, err := c.connect("")
	if err != nil {
		return err
	}
	defer w.close()
	s := &sending{watch: w, out: terminal.Printable(t.Out), asJSON: c.JSON, outcomes: map[string]outcome{}}
	begin := 0
	for i, end := range ends {
		fmt.Fprintf(t.Err, "kerb: stage %d of %d: messages for %d of %d devices go to the broker; waiting for the answers, at most for the trial and %s\n", i+1, len(ends), end, len(messages), c.Wait)
		if err := s.runStage(ctx, messages[begin:end], c.Wait); err != nil {
			return err
		}
		begin = end
		if err := s.printStage(i+1, len(ends), end, len(messages)); err != nil {
			return err
		}
		if n := s.count(want.Refused.String()) + s.count(want.Reverted.String()); n > c.Stop {
			return fmt.Errorf("%d devices refuse or went back: stopped after stage %d of %d; %d devices have no message", n, i+1, len(ends), len(messages)-end)
		}
	}
	return nil
}

// parseStages returns the number of devices after each stage, rising, the last one
// total at most.
func parseStages(stages []string, total int) (ends []int, err error) {
	for _, text := range stages {
		n := total
		if part, isPart := strings.CutSuffix(text, "%"); isPart {
			f, ferr := strconv.ParseFloat(part, 64)
			n, err = max(int(f*float64(total)/100), 1), ferr
			if f <= 0 || f > 100 {
				err = errors.New("out of range")
			}
		} else if text != "all" {
			n, err = strconv.Atoi(text)
		}
		if err != nil || n < 1 {
			return nil, terminal.UsageError(fmt.Sprintf("-stages: %q must be a number from 1 on, a part such as 1%%, or all", text))
		}
		if n = min(n, total); len(ends) == 0 || n > ends[len(ends)-1] {
			ends = append(ends, n)
		}
	}
	return ends, nil
}

// waiting is the outcome of a device that has not answered within the time of its
// stage; kept, refused and reverted are those of package want.
const waiting = "waiting"

// outcome is what became of one device.
type outcome struct {
	Device  string `json:"device"`
	Version int64  `json:"version"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	Line    int    `json:"line,omitempty"`
}

// sending is one run of kerb fleet send.
type sending struct {
	watch    *watch
	out      io.Writer
	asJSON   bool
	outcomes map[string]outcome // by address
}

// runStage publishes the messages and waits until each device has ended its trial, at
// most for the longest trial and wait.
func (s *sending) runStage(ctx context.Context, messages []*want.Message, wait time.Duration) error {
	open, trial := map[string]*want.Message{}, time.Duration(0)
	for _, m := range messages {
		b, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if err := waitToken(s.watch.client.Publish("kerb/v1/"+m.Address()+"/want", 1, true, b)); err != nil {
			return fmt.Errorf("publish to %s: %w", m.Address(), err)
		}
		open[m.Address()] = m
		trial = max(trial, m.Trial())
	}
	limit := time.NewTimer(trial + wait)
	defer limit.Stop()
	for {
		for address, m := range open {
			if o, ended := judge(s.watch.told(address), m); ended {
				delete(open, address)
				if err := s.end(o); err != nil {
					return err
				}
			}
		}
		if len(open) == 0 {
			return nil
		}
		select {
		case <-s.watch.changed:
		case err := <-s.watch.lost:
			return fmt.Errorf("the connection to the broker is lost: %w; start the command again, it goes on where it was", err)
		case <-limit.C:
			for address, m := range open {
				if err := s.end(outcome{Device: address, Version: m.Version, Outcome: waiting}); err != nil {
					return err
				}
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("stopped, answers missing: %d; the messages stay at the broker; start the command again, it goes on where it was", len(open))
		}
	}
}

// judge returns what became of a message by what the device has told, and whether that is
// its end. A device whose policy does not have the command want does not read its message:
// it waits, with the reason not_allowed, until that policy is changed by hand.
func judge(d device, m *want.Message) (o outcome, ended bool) {
	o = outcome{Device: m.Address(), Version: m.Version}
	if d.State != nil {
		c := d.State.Agent.Config
		o.Outcome, o.Reason, o.Line = c.Outcome, c.Reason, c.Line
		switch {
		case c.Version == m.Version:
			return o, c.Outcome != want.OnTrial.String()
		case c.InForce == m.Version:
			o.Outcome, o.Reason, o.Line = want.Kept.String(), "", 0
			return o, true
		}
	}
	if d.Meta != nil && d.Meta.Commands != nil && !slices.Contains(d.Meta.Commands, string(policy.Want)) {
		o.Outcome, o.Reason, o.Line = waiting, want.NotAllowed.String(), 0
		return o, true
	}
	return o, false
}

// end keeps and prints the outcome of a device; as text only one that is not kept.
func (s *sending) end(o outcome) error {
	s.outcomes[o.Device] = o
	if s.asJSON {
		return json.NewEncoder(s.out).Encode(o)
	}
	if o.Outcome == want.Kept.String() {
		return nil
	}
	text := fmt.Sprintf("%-9s %s", o.Outcome, o.Device)
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	if o.Line > 0 {
		text += fmt.Sprintf(", line %d", o.Line)
	}
	_, err := fmt.Fprintln(s.out, text)
	return err
}

// count counts the devices with an outcome.
func (s *sending) count(word string) (n int) {
	for _, o := range s.outcomes {
		if o.Outcome == word {
			n++
		}
	}
	return n
}

// printStage prints the sums after a stage.
func (s *sending) printStage(stage, stages, sent, total int) error {
	words := []string{want.Kept.String(), want.Refused.String(), want.Reverted.String(), waiting}
	sums := map[string]any{"stage": stage, "stages": stages, "sent": sent, "devices": total}
	text := fmt.Sprintf("stage %d of %d: %d of %d devices have the message", stage, stages, sent, total)
	for _, word := range words {
		sums[word] = s.count(word)
		text += fmt.Sprintf(", %d %s", s.count(word), word)
	}
	if s.asJSON {
		return json.NewEncoder(s.out).Encode(sums)
	}
	_, err := fmt.Fprintln(s.out, text)
	return err
}

// sortedKeys returns the keys of a map in their order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
