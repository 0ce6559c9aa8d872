package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// inFlight is how many messages may wait for their acknowledgements.
const inFlight = 10

// session is one connection from CONNECT to its end. Its error says why it
// ended; it is nil only when ctx did.
func (u *Uplink) session(ctx context.Context) error {
	l, err := u.connect(ctx)
	if err != nil {
		return err
	}
	s := &session{
		u: u, link: l, begin: u.now(),
		done: make(chan outcome, inFlight), commands: make(chan []byte, 16),
	}
	err = s.run(ctx)
	if errors.Is(err, errNoAck) {
		u.tempo.missed()
	}
	if ctx.Err() != nil {
		s.goodbye()
		err = nil
	} else {
		l.hangUp(0)
	}
	for s.flying > 0 {
		s.landed(<-s.done)
	}
	return err
}

type outcome struct {
	m    message
	took time.Duration
	err  error
}

type session struct {
	u        *Uplink
	link     *link
	feed     *feed
	begin    time.Time
	flying   int
	done     chan outcome
	commands chan []byte
	born     []byte // the meta that was told last
	told     vital
	toldAt   time.Time
}

func (s *session) run(ctx context.Context) error {
	u := s.u
	s.feed = newFeed(u, u.o.Store.Stats(), time.Now())
	if err := s.listen(); err != nil {
		return err
	}
	s.tellMeta()
	s.tellState(true)
	u.online.Store(true)
	defer u.online.Store(false)
	u.o.Log.Info("uplink: connected", "broker", u.broker.Redacted(), "backlog", u.o.Store.Stats().Pending)
	beat := time.NewTicker(min(u.o.Every, 10*time.Second))
	defer beat.Stop()
	doubt := newTicker(u.o.Confirm)
	defer doubt.Stop()
	for {
		wait, err := s.fill()
		if err != nil {
			return err
		}
		select {
		case o := <-s.done:
			if err := s.landed(o); err != nil {
				return s.because(err)
			}
		case <-u.wake:
			s.tellMeta()
			s.tellState(false)
		case <-after(wait):
		case <-beat.C:
			u.o.Store.Tend()
			s.tellMeta()
			s.tellState(false)
		case <-doubt.C:
			s.feed.again = u.o.Store.Doubt() > 0 || s.feed.again
		case b := <-s.commands:
			s.obey(b)
		case err := <-s.link.lost:
			return fmt.Errorf("connection lost: %w", err)
		case <-ctx.Done():
			return nil
		}
	}
}

// fill sends until the window of messages is full or there is nothing to send.
func (s *session) fill() (time.Duration, error) {
	for s.flying < inFlight {
		m, ok, wait, err := s.feed.take(time.Now(), s.flying == 0)
		if err != nil {
			return 0, err
		}
		if !ok {
			return wait, nil
		}
		s.flying++
		go func() {
			begin := time.Now()
			err := s.link.publish(m)
			s.done <- outcome{m, time.Since(begin), err}
		}()
	}
	return 0, nil
}

func (s *session) landed(o outcome) error {
	s.flying--
	if o.err != nil {
		return fmt.Errorf("publish %s: %w", o.m.topic, o.err)
	}
	s.u.tempo.acked(o.took)
	return s.feed.settled(o.m)
}

// because prefers the reason that the connection gives for its end to what a
// message that was under way makes of it.
func (s *session) because(err error) error {
	if errors.Is(err, errNoAck) {
		return err
	}
	select {
	case lost := <-s.link.lost:
		return fmt.Errorf("connection lost: %w", lost)
	case <-time.After(100 * time.Millisecond):
		return err
	}
}

// tellMeta queues the meta message when it says something new.
func (s *session) tellMeta() {
	if m := s.u.meta(); !bytes.Equal(m.payload, s.born) {
		s.born = m.payload
		s.feed.urgent = append(s.feed.urgent, m)
	}
}

// tellState queues the state message when it is due or something vital changed.
func (s *session) tellState(now bool) {
	st := s.u.o.Store.Stats()
	v := s.u.vital(st)
	if !now && v == s.told && time.Since(s.toldAt) < s.u.o.Every {
		return
	}
	s.told, s.toldAt = v, time.Now()
	s.feed.urgent = append(s.feed.urgent, s.u.state(st, s.begin))
}

// listen subscribes to commands, if any are allowed.
func (s *session) listen() error {
	if !s.u.listens() {
		return nil
	}
	t := s.link.client.Subscribe(s.u.base+"cmd", 1, func(_ mqtt.Client, m mqtt.Message) {
		if m.Retained() {
			return // a command is for now, not for whoever connects next
		}
		select {
		case s.commands <- m.Payload():
		default: // more than anyone sends in earnest
		}
	})
	if !t.WaitTimeout(ackTimeout) {
		return errors.New("subscribe to commands: no acknowledgement")
	}
	if err := t.Error(); err != nil {
		return fmt.Errorf("subscribe to commands: %w", err)
	}
	return nil
}

// goodbye waits a moment for what is under way and says that the device is gone.
func (s *session) goodbye() {
	limit := time.After(time.Second)
	for s.flying > 0 {
		select {
		case o := <-s.done:
			_ = s.landed(o) // what was not acknowledged stays pending
			continue
		case <-limit:
		}
		break
	}
	t := s.link.client.Publish(s.u.base+"state", 1, true, s.u.lastWill())
	t.WaitTimeout(time.Second)
	s.link.hangUp(100 * time.Millisecond)
}

// after is a channel that speaks after d, or never if d is 0.
func after(d time.Duration) <-chan time.Time {
	if d <= 0 {
		return nil
	}
	return time.After(d)
}

// newTicker is a ticker that never ticks if d is 0.
func newTicker(d time.Duration) *time.Ticker {
	t := time.NewTicker(max(d, 1))
	if d <= 0 {
		t.Stop()
		select {
		case <-t.C:
		default:
		}
	}
	return t
}
