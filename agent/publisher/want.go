package publisher

import (
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"kerb/agent/ipc"
	"kerb/agent/retry"
	"kerb/agent/state"
	"kerb/agent/want"
)

// The waits between two messages on …/want that are stored: the first doubles with each
// up to the second, so that a broker cannot wear out the card. Chosen by hand.
const (
	minWantWait = 10 * time.Second
	maxWantWait = time.Hour
)

// wantInbox stores the latest message on …/want for the supervisor, which examines it.
type wantInbox struct {
	dir string // state directory
	out io.Writer
	log *slog.Logger

	mu     sync.Mutex
	latest []byte    // that is not stored yet; nil: none
	stored string    // the last that was
	count  int       // that were stored
	due    time.Time // when the next may be
}

// put takes a message; an equal one was stored before. It is for uplink.Opts.OnWant.
func (w *wantInbox) put(message []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if string(message) != w.stored {
		w.latest = message
	}
}

// flush stores the latest message when it is due, and tells the supervisor.
func (w *wantInbox) flush(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.latest == nil || now.Before(w.due) {
		return
	}
	message := w.latest
	w.latest, w.stored = nil, string(message)
	w.due = now.Add(retry.Delay(minWantWait, maxWantWait, w.count))
	w.count++
	if err := state.Replace(filepath.Join(w.dir, state.WantReceived), message, ""); err != nil {
		w.log.Error("what the platform wants cannot be stored", "err", err)
		return
	}
	_ = ipc.WriteRecord(w.out, &ipc.WantReceived{})
}

// noteWant keeps the result for the state message and, where it is new, stores the event
// "want".
func (p *publisher) noteWant(m *ipc.WantResult) {
	p.state.setWant(m)
	if m.N > 0 {
		data := describeWant(m)
		delete(data, "in_force")
		p.Store.AddNote("want", data)
	}
}

// describeWant returns the members of a result: those of state.agent.config and, but
// for in_force, of the event.
func describeWant(m *ipc.WantResult) map[string]any {
	data := map[string]any{"in_force": m.InForce, "version": m.Version, "outcome": want.Outcome(m.Outcome).String()}
	if m.Reason != 0 {
		data["reason"] = want.Reason(m.Reason).String()
	}
	if m.Line > 0 {
		data["line"] = m.Line
	}
	return data
}
