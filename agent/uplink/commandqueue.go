package uplink

import (
	"fmt"
	"sync"
	"time"
)

// The bounds of the queue of commands, chosen by hand.
const (
	maxCommands   = 256             // that wait for execution; further ones are answered "busy"
	maxRefused    = 4096            // ids of commands that wait for the answer "busy", 256 KiB at most
	maxAnswers    = 512             // urgent messages that wait for the broker until the next command is executed
	minRetryAfter = 5 * time.Second // least time that a busy device asks to wait
)

// commandQueue holds the commands that have arrived on a connection. paho's
// goroutine adds them and never waits; the session takes them. Every command gets
// its answer: one for which there is no room gets the answer "busy".
type commandQueue struct {
	arrived chan struct{} // has an element when there is something to take

	mu      sync.Mutex
	waiting []parsedCommand
	refused []string // ids
	dropped int      // commands beyond maxRefused, which get no answer
	took    time.Duration
}

// parsedCommand is a command as parseCommand returned it.
type parsedCommand struct {
	command
	err error
}

func newCommandQueue() *commandQueue { return &commandQueue{arrived: make(chan struct{}, 1)} }

// add parses a message on …/cmd and adds it, or its id to those that are refused.
func (q *commandQueue) add(b []byte) {
	c, err := parseCommand(b)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.waiting) < maxCommands:
		q.waiting = append(q.waiting, parsedCommand{c, err})
	case c.ID != "" && len(q.refused) < maxRefused:
		q.refused = append(q.refused, c.ID)
	default:
		q.dropped++
	}
	q.signal()
}

// signal wakes the session.
func (q *commandQueue) signal() {
	select {
	case q.arrived <- struct{}{}:
	default:
	}
}

// takeNext takes the command that waits longest; ok is false when there is none.
func (q *commandQueue) takeNext() (c parsedCommand, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return c, false
	}
	c, q.waiting = q.waiting[0], q.waiting[1:]
	return c, true
}

// takeRefused takes up to n refused ids, and the number of commands that were
// dropped without an answer.
func (q *commandQueue) takeRefused(n int) (ids []string, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(max(n, 0), len(q.refused))
	ids, q.refused = q.refused[:n:n], q.refused[n:]
	dropped, q.dropped = q.dropped, 0
	return ids, dropped
}

// recordTime adds how long a command took to the mean, of which it is an eighth.
func (q *commandQueue) recordTime(took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.took += (took - q.took) / 8
}

// state returns how many commands wait, and after which time they will be done.
func (q *commandQueue) state() (waiting int, done time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	done = max(time.Duration(len(q.waiting))*q.took, minRetryAfter)
	return len(q.waiting), done.Round(time.Second)
}

// runCommands answers the commands that were refused and executes one that waits,
// while there is room for answers. The session calls it with every event, so a
// burst of commands delays other messages by one command at a time.
func (s *session) runCommands() {
	room := maxAnswers - len(s.scheduler.urgent) - len(s.answers)
	if room <= 0 {
		return
	}
	ids, dropped := s.commands.takeRefused(room)
	waiting, done := s.commands.state()
	for _, id := range ids {
		s.queueAnswer(answer{
			ID: id, Retry: int(done.Seconds()),
			Error: fmt.Sprintf("busy: %d commands wait; ask again in %s", maxCommands, done),
		})
	}
	if len(ids) > 0 || dropped > 0 {
		s.u.o.Log.Warn("uplink: busy, commands refused", "answered", len(ids), "unanswered", dropped)
	}
	if c, ok := s.commands.takeNext(); ok {
		start := time.Now()
		s.handleCommand(c.command, c.err)
		s.commands.recordTime(time.Since(start))
	}
	if waiting > 1 || len(ids) == room {
		s.commands.signal()
	}
}
