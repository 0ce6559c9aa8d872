package uplink

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// whyClosed is the reason of a topic at whose message the broker closes the
// connection.
const whyClosed = "the broker closes the connection at it"

// Some brokers refuse a message by closing the connection: a retained one, one that
// is too large, and with max_queued_messages 0 mosquitto 2.0 every denied one. The
// first such end makes the next connection cautious: it sends one message at a time,
// so that the one under way at its end is known.
const (
	closingTold  = 2       // ends at one topic until it is taken as denied; once may be the network. Chosen by hand
	largeMessage = 8 << 10 // bytes from which a message may be refused for its size. Chosen by hand
)

// closings remembers at which messages connections ended.
type closings struct {
	cautious bool
	suspects map[string]int         // by topic: cautious connections that ended at it
	denied   map[string]*topicProof // topics that are taken as denied
}

// onClosed records the end of a connection with these messages under way. It returns
// an error with the cause and, where it is known, what the broker refuses.
func (u *Uplink) onClosed(err error, underway []message, now time.Time) error {
	err = fmt.Errorf("connection lost: %w", plainCause(err))
	c := &u.closings
	switch {
	case len(underway) == 0:
		return err
	case u.twins.present(now, twinMemory*u.o.StateInterval) != nil:
		return fmt.Errorf("%w: another device logs in as this one", err)
	case len(underway) > 1 && !c.cautious:
		c.cautious = true
		return err
	}
	m := underway[0]
	if m.clears {
		u.onCleared(m.topic)
		return err
	}
	if m.late && len(m.payload) >= largeMessage {
		u.tuning.onRefusedSize(len(m.entries))
		return fmt.Errorf("%w at a message of %d bytes on %s: smaller ones are tried", err, len(m.payload), m.topic)
	}
	c.cautious = true
	if c.suspects[m.topic]++; c.suspects[m.topic] < closingTold {
		return err
	}
	failures := c.suspects[m.topic] - closingTold
	c.denied[m.topic] = &topicProof{
		required: true, why: whyClosed, failures: failures + 1, retryAt: now.Add(u.proofDelay(failures)),
	}
	delete(u.provenOnce, m.topic)
	return err
}

// onPassed records that a message on the topic came back.
func (c *closings) onPassed(topic string) {
	delete(c.suspects, topic)
	delete(c.denied, topic)
}

// errClosed is the cause of most ends, in whatever way the broker closed.
var errClosed = errors.New("closed by the broker or the network")

// plainCause returns errClosed for the errors of a connection that the other side
// closed. Their own texts differ with every port number and each time.
func plainCause(err error) error {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return errClosed
		}
	}
	return err
}
