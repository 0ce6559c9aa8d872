package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const (
	maxUnacked   = 10                     // messages that may wait for their PUBACK at once
	beatInterval = 10 * time.Second       // between looks at the state and at the spool, at most
	lostGrace    = 100 * time.Millisecond // wait for the reason of a lost connection
	drainTimeout = time.Second            // wait for the PUBACKs under way at the end
	willTimeout  = time.Second            // wait for the PUBACK of the offline state
	quiesceTime  = 100 * time.Millisecond // given to paho to write its DISCONNECT
)

// runConnection makes one connection and serves it from CONNECT to its end. It
// returns the reason of the end, and nil only when ctx ended.
func (u *Uplink) runConnection(ctx context.Context) error {
	l, err := u.connect(ctx)
	if err != nil {
		return err
	}
	s := &session{
		u: u, link: l, connectedAt: u.now(),
		results: make(chan publishResult, maxUnacked), commands: newCommandQueue(),
	}
	err = s.serve(ctx)
	if errors.Is(err, errNoAck) {
		u.tuning.onMissedAck()
	}
	if ctx.Err() != nil {
		s.publishOffline()
		err = nil
	} else {
		l.disconnect(0)
	}
	for s.unacked > 0 {
		s.handleResult(<-s.results)
	}
	return err
}

// publishResult is the result of one PUBLISH: how long its PUBACK took, or why
// there was none.
type publishResult struct {
	m    message
	took time.Duration
	err  error
}

// session is the state of one connection.
type session struct {
	u            *Uplink
	link         *link
	scheduler    *scheduler
	connectedAt  time.Time
	unacked      int // messages sent and not acknowledged
	results      chan publishResult
	commands     *commandQueue
	lastTriggers stateTriggers
	lastStateAt  time.Time
}

// serve subscribes, publishes meta and state, and then sends messages and
// executes commands until the connection fails or ctx ends.
func (s *session) serve(ctx context.Context) error {
	u := s.u
	s.scheduler = newScheduler(u, u.o.Store.Stats(), time.Now())
	if err := s.subscribeCommands(); err != nil {
		return err
	}
	s.scheduler.urgent = append(s.scheduler.urgent, u.encodeMeta())
	s.queueState(true)
	u.online.Store(true)
	defer u.online.Store(false)
	u.setStatus(func(st *Status) {
		st.Connected, st.Since, st.Refusal, st.Retry = true, s.connectedAt, "", time.Time{}
	})
	u.o.Log.Info("uplink: connected", "broker", u.broker.Redacted(), "backlog", u.o.Store.Stats().Pending)
	beat := time.NewTicker(min(u.o.StateInterval, beatInterval))
	defer beat.Stop()
	doubt := tickerOrNever(u.o.Store.ConfirmTimeout())
	defer doubt.Stop()
	for {
		s.runCommands()
		s.releaseHeld()
		wait, err := s.sendReady()
		if err != nil {
			return err
		}
		select {
		case o := <-s.results:
			if err := s.handleResult(o); err != nil {
				return s.endReason(err)
			}
		case <-u.wake:
			s.queueState(false)
		case <-timerOrNever(wait):
		case <-beat.C:
			u.o.Store.RetryWrites()
			s.queueState(false)
		case <-doubt.C:
			s.scheduler.rescan = u.o.Store.RequeueUnconfirmed() > 0 || s.scheduler.rescan
		case <-s.commands.arrived:
		case err := <-s.link.lost:
			return fmt.Errorf("connection lost: %w", err)
		case <-ctx.Done():
			return nil
		}
	}
}

// sendReady publishes messages until maxUnacked are under way or none is ready.
// It returns how long to wait before the next late message may go; 0: until an
// event.
func (s *session) sendReady() (time.Duration, error) {
	for s.unacked < maxUnacked {
		m, ok, wait, err := s.scheduler.nextMessage(time.Now(), s.unacked == 0)
		if err != nil {
			return 0, err
		}
		if !ok {
			return wait, nil
		}
		s.unacked++
		go func() {
			start := time.Now()
			err := s.link.publishAndWait(m)
			s.results <- publishResult{m, time.Since(start), err}
		}()
	}
	return 0, nil
}

// handleResult settles an acknowledged message, or returns why it was not.
func (s *session) handleResult(o publishResult) error {
	s.unacked--
	if o.err != nil {
		return fmt.Errorf("publish %s: %w", o.m.topic, o.err)
	}
	s.u.tuning.onAck(o.took)
	return s.scheduler.settleMessage(o.m)
}

// endReason returns why the connection ended. The reason that the connection
// itself reports is preferred to the error of a message that was under way.
func (s *session) endReason(err error) error {
	if errors.Is(err, errNoAck) {
		return err
	}
	select {
	case lost := <-s.link.lost:
		return fmt.Errorf("connection lost: %w", lost)
	case <-time.After(lostGrace):
		return err
	}
}

// queueState queues the state message: at once with now, when a trigger
// changed, or when the interval of the state message is over.
func (s *session) queueState(now bool) {
	st := s.u.o.Store.Stats()
	v := s.u.readTriggers(st)
	if !now && v == s.lastTriggers && time.Since(s.lastStateAt) < s.u.o.StateInterval {
		return
	}
	s.lastTriggers, s.lastStateAt = v, time.Now()
	s.scheduler.urgent = append(s.scheduler.urgent, s.u.encodeState(st, s.connectedAt))
}

// subscribeCommands subscribes to …/cmd when a verb is allowed. Retained messages
// are dropped: a command is for the moment at which it was sent.
func (s *session) subscribeCommands() error {
	if !s.u.acceptsCommands() {
		return nil
	}
	t := s.link.client.Subscribe(s.u.base+"cmd", 1, func(_ mqtt.Client, m mqtt.Message) {
		if m.Retained() {
			return
		}
		s.commands.add(m.Payload())
	})
	if !t.WaitTimeout(ackTimeout) {
		return errors.New("subscribe to commands: no acknowledgement")
	}
	if err := t.Error(); err != nil {
		return fmt.Errorf("subscribe to commands: %w", err)
	}
	return nil
}

// publishOffline waits up to drainTimeout for the messages under way, publishes
// the offline state itself (the broker sends no Last Will after a DISCONNECT),
// and disconnects.
func (s *session) publishOffline() {
	limit := time.After(drainTimeout)
	for s.unacked > 0 {
		select {
		case o := <-s.results:
			_ = s.handleResult(o) // an unacknowledged window stays pending
			continue
		case <-limit:
		}
		break
	}
	t := s.link.client.Publish(s.u.base+"state", 1, true, s.u.encodeLastWill())
	t.WaitTimeout(willTimeout)
	s.link.disconnect(quiesceTime)
}

// timerOrNever returns a channel that fires after d, or never if d is not
// positive.
func timerOrNever(d time.Duration) <-chan time.Time {
	if d <= 0 {
		return nil
	}
	return time.After(d)
}

// tickerOrNever returns a ticker with interval d, stopped if d is not positive.
func tickerOrNever(d time.Duration) *time.Ticker {
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
