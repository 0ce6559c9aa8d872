package uplink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// makeRun returns the name of this run of the program, with which every serial
// begins.
func makeRun() string { return fmt.Sprintf("%016x", rand.Uint64()) }

// serial returns the text that is unique to one state message: the run of the
// program, its connection, and the message on that connection. The Last Will has
// the number 0, because it is made before all others.
func serial(run string, connection, message uint64) string {
	return fmt.Sprintf("%s-%d-%d", run, connection, message)
}

// parseSerial returns the parts of a serial; ok is false for any other text.
func parseSerial(s string) (run string, connection, message uint64, ok bool) {
	run, rest, _ := strings.Cut(s, "-")
	n, err := fmt.Sscanf(rest, "%d-%d", &connection, &message)
	return run, connection, message, err == nil && n == 2 && run != ""
}

// foreignState are the members of a state message that tell who published it.
type foreignState struct {
	Schema string `json:"schema"`
	Device string `json:"device"`
	Online bool   `json:"online"`
	Serial string `json:"serial"`
	Store  struct {
		Epoch string `json:"epoch"`
	} `json:"store"`
}

// sighting describes another run of the program that published the state
// of this device.
type sighting struct {
	connection, message uint64 // of its latest message, by its serial
	epoch               string
	twin                bool      // it lives: it published after it had been seen
	at                  time.Time // of its latest message, by the monotonic clock
}

// twins finds another process that publishes as this device. The retained state and
// the Last Will of an earlier run of the same device look like one at first: they
// are told apart because a dead run never publishes again. A run is a twin when a
// message of it comes that is younger, by its serial, than one seen before. To make a
// twin publish, the device answers the first sighting with its own state, and a twin
// does the same.
type twins struct {
	own  string // the run of this process
	seen map[string]*sighting
}

// maxRuns bounds the runs that are remembered; the one seen first in a random order
// is forgotten. Chosen by hand.
const maxRuns = 16

// verdict is the reaction to a message on the device's own state topic.
type verdict int

const (
	nothingToDo  verdict = iota
	restoreState         // the retained state is not this run's latest one: publish it again, soon
	answerState          // an unknown run: publish the state at once, so that a twin answers
	foundTwin            // this run is a twin, which is news
)

// judge judges a message on the state topic that this connection did not publish.
// now is monotonic.
func (t *twins) judge(m received, now time.Time) (verdict, *sighting) {
	var f foreignState
	if len(bytes.TrimSpace(m.payload)) == 0 || json.Unmarshal(m.payload, &f) != nil || f.Schema != schemaState {
		return t.restore(m), nil
	}
	run, connection, number, ok := parseSerial(f.Serial)
	if !ok { // a kerb that sends no serial: its epoch tells it, and nothing its age
		if run = f.Store.Epoch; run == "" {
			return t.restore(m), nil
		}
	}
	if run == t.own {
		if f.Online {
			return nothingToDo, nil
		}
		return t.restore(m), nil // the Last Will of an earlier connection came late
	}
	s := t.seen[run]
	if s == nil {
		t.remember(run, &sighting{connection: connection, message: number, epoch: f.Store.Epoch, at: now})
		if f.Online && !m.retained {
			return answerState, nil
		}
		return t.restore(m), nil
	}
	younger := connection > s.connection || connection == s.connection && number > s.message || !ok && !m.retained
	if f.Store.Epoch != "" {
		s.epoch = f.Store.Epoch
	}
	if !younger {
		return t.restore(m), nil
	}
	s.connection, s.message, s.at = connection, number, now
	if s.twin {
		return nothingToDo, s
	}
	s.twin = true
	return foundTwin, s
}

// restore returns restoreState for a live message: it has replaced the retained
// state of this run.
func (t *twins) restore(m received) verdict {
	if m.retained {
		return nothingToDo
	}
	return restoreState
}

// remember adds a run.
func (t *twins) remember(run string, s *sighting) {
	for old := range t.seen {
		if len(t.seen) < maxRuns {
			break
		}
		delete(t.seen, old)
	}
	t.seen[run] = s
}

// present returns the twin that was seen last, nil if none published within the
// given time.
func (t *twins) present(now time.Time, within time.Duration) (last *sighting) {
	for _, s := range t.seen {
		if s.twin && now.Sub(s.at) < within && (last == nil || s.at.After(last.at)) {
			last = s
		}
	}
	return last
}
