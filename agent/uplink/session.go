package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const (
	beatInterval = 10 * time.Second       // between looks at the state and at the spool, at most
	lostGrace    = 100 * time.Millisecond // wait for the reason of a lost connection
	drainTimeout = time.Second            // wait for the PUBACKs under way at the end
	willTimeout  = time.Second            // wait for the PUBACK of the offline state
	quiesceTime  = 100 * time.Millisecond // given to paho to write its DISCONNECT
)

// errNoConnection is wrapped in the error of a connection that got no CONNACK. It has
// no text.
var errNoConnection = errors.New("")

// runConnection makes one connection and serves it from CONNECT to its end. It
// returns the reason of the end, and nil only when ctx ended.
func (u *Uplink) runConnection(ctx context.Context) error {
	l, err := u.connect(ctx)
	if err != nil {
		return fmt.Errorf("%w%w", errNoConnection, err)
	}
	s := &session{
		u: u, link: l, connectedAt: u.now(), proof: newProof(u),
		results: make(chan publishResult, u.o.MaxUnacked), commands: newCommandQueue(), now: newNowSender(u),
	}
	u.setStatus(func(st *Status) { st.Connected, st.Since, st.Retry = true, s.connectedAt, time.Time{} })
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
	s.keepCheck.Wait()
	s.tellLostAnswers()
	return err
}

// publishResult is the result of one PUBLISH: how long it took until it was
// acknowledged and had come back, or why not.
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
	proof        *proof
	connectedAt  time.Time
	serials      uint64    // numbers given to messages on this connection
	unacked      int       // messages sent and not acknowledged
	underway     []message // the same
	results      chan publishResult
	commands     *commandQueue
	now          *nowSender
	lastTriggers stateTriggers
	lastStateAt  time.Time
	lastBacklog  uint64 // that the last state message told
	replaced     bool   // another client has replaced the retained state
	told         bool   // the log has told that this connection is proven
	keepAsked    bool   // checkKept was called
	keepCheck    sync.WaitGroup
	answers      []message // that wait, because …/ack is denied or not proven; maxAnswers with those in scheduler.urgent
}

// serve subscribes, proves the topics, and then sends messages and executes commands
// until the connection fails or ctx ends.
func (s *session) serve(ctx context.Context) error {
	u := s.u
	s.scheduler = newScheduler(u, u.o.Store.Stats(), time.Now())
	if err := s.subscribeCommands(); err != nil {
		return err
	}
	if err := s.subscribeWant(); err != nil {
		return err
	}
	if err := s.startProof(); err != nil {
		return err
	}
	s.clearStale()
	defer u.online.Store(false)
	beat := time.NewTicker(min(u.o.StateInterval, beatInterval))
	defer beat.Stop()
	doubt := tickerOrNever(u.o.Store.ConfirmTimeout())
	defer doubt.Stop()
	for {
		s.runCommands()
		s.releaseHeld()
		s.retryProofs(time.Now())
		nowWait := s.queueNow(time.Now())
		wait, err := s.sendReady()
		if err != nil {
			return err
		}
		if nowWait > 0 && (wait <= 0 || nowWait < wait) {
			wait = nowWait
		}
		select {
		case o := <-s.results:
			underway := slices.Clone(s.underway)
			if err := s.handleResult(o); err != nil {
				return s.endReason(err, underway)
			}
		case m := <-s.link.received:
			s.handleReceived(m)
		case <-u.wake:
			s.now.stale = u.o.KeepsNow
			s.queueState(false)
		case <-timerOrNever(wait):
		case <-beat.C:
			u.o.Store.RetryWrites()
			s.queueState(false)
		case <-doubt.C:
			s.scheduler.rescan = u.o.Store.RequeueUnconfirmed() > 0 || s.scheduler.rescan
		case <-s.commands.arrived:
		case err := <-s.link.lost:
			return u.onClosed(err, s.underway, time.Now())
		case <-ctx.Done():
			return nil
		}
	}
}

// sendReady publishes messages until Opts.MaxUnacked are under way or none is ready.
// It returns how long to wait before the next message or proof is due; 0: until an
// event.
func (s *session) sendReady() (time.Duration, error) {
	s.scheduler.held, s.scheduler.eventsHeld = s.proof.holds(), s.proof.holdsTopic(s.u.base+"event")
	limit := s.u.o.MaxUnacked
	if s.u.closings.cautious {
		limit = 1
	}
	for s.unacked < limit {
		m, ok, wait, err := s.scheduler.nextMessage(time.Now(), s.unacked == 0)
		if err != nil {
			return 0, err
		}
		if !ok {
			return s.untilDue(wait), nil
		}
		s.unacked++
		s.underway = append(s.underway, m)
		go func() {
			start := time.Now()
			err := s.link.deliver(m)
			s.results <- publishResult{m, time.Since(start), err}
		}()
	}
	return 0, nil
}

// handleResult settles a message that came back, or returns why the connection
// failed. A denied message is not settled, and its topic is tried again later.
func (s *session) handleResult(o publishResult) error {
	s.unacked--
	if o.m.retained {
		delete(s.scheduler.retained, o.m.topic)
	}
	s.underway = slices.DeleteFunc(s.underway, func(m message) bool { return m.topic == o.m.topic && bytes.Equal(m.payload, o.m.payload) })
	var denied *deniedError
	switch {
	case o.m.clears && (o.err == nil || errors.As(o.err, &denied)):
		s.u.onCleared(o.m.topic)
		return nil
	case errors.As(o.err, &denied):
		s.scheduler.returnMessage(o.m)
		if s.u.isNow(o.m.topic) {
			s.now.forget(o.m.topic)
		}
		if o.m.late { // a broker may drop a message that is too large for it, silently
			s.u.tuning.onRefusedSize(len(o.m.entries))
		}
		news := s.proof.onDenied(denied, time.Now())
		if o.m.answer {
			s.holdAnswers(o.m)
		}
		if news {
			s.tellProof()
		}
		return nil
	case o.err != nil:
		return fmt.Errorf("publish %s: %w", o.m.topic, o.err)
	}
	s.u.closings.onPassed(o.m.topic)
	if s.proof.onProven(o.m.topic) {
		s.tellProof()
	}
	switch o.m.topic {
	case s.u.base + "ack":
		s.releaseAnswers()
	case s.u.base + "state":
		s.checkKept()
	}
	s.u.tuning.onAck(o.took, o.m.late)
	return s.scheduler.settleMessage(o.m)
}

// endReason returns why the connection ended. The reason that the connection
// itself reports is preferred to the error of a message that was under way.
func (s *session) endReason(err error, underway []message) error {
	if errors.Is(err, errNoAck) {
		return err
	}
	select {
	case lost := <-s.link.lost:
		return s.u.onClosed(lost, underway, time.Now())
	case <-time.After(lostGrace):
		return err
	}
}

// queueState queues the state message: at once with now, when a trigger changed,
// when the backlog that it told is empty, when another client has replaced it, or
// when its interval is over.
func (s *session) queueState(now bool) {
	if s.proof.awaits(s.u.base + "state") {
		return
	}
	st, t := s.u.o.Store.Stats(), time.Now()
	v := s.readTriggers(st)
	drained := s.lastBacklog > 0 && st.Pending == 0
	if !now && !drained && !s.replaced && v == s.lastTriggers && t.Sub(s.lastStateAt) < s.u.o.StateInterval {
		return
	}
	s.lastTriggers, s.lastStateAt, s.lastBacklog, s.replaced = v, t, st.Pending, false
	s.scheduler.queueRetained(s.encodeState(st))
}

// subscribeCommands subscribes to …/cmd when a verb is allowed. Retained messages
// are dropped: a command is for the moment at which it was sent. A refused
// subscription does not end the connection; it is a denied topic.
func (s *session) subscribeCommands() error {
	if !s.u.acceptsCommands() {
		return nil
	}
	l := s.link
	err := l.listenWith(s.u.base+"cmd", func(_ mqtt.Client, m mqtt.Message) {
		if m.Retained() || l.echoes.match(m.Topic(), m.Payload()) || IsProof(m.Payload()) {
			return
		}
		s.commands.add(m.Payload())
	})
	if isDenied(err) {
		return nil // the proof of …/cmd meets the same refusal
	}
	return err
}

// MaxWantBytes bounds a message on …/want: want.MaxBytes.
const MaxWantBytes = 64 << 10

// subscribeWant subscribes to …/want, whose message the broker retains. A refused
// subscription does not end the connection: the device stays under the files it has.
func (s *session) subscribeWant() error {
	if s.u.o.OnWant == nil {
		return nil
	}
	topic := s.u.base + "want"
	err := s.link.listenWith(topic, func(_ mqtt.Client, m mqtt.Message) {
		if n := len(m.Payload()); n > 0 && n <= MaxWantBytes {
			s.u.o.OnWant(bytes.Clone(m.Payload()))
		} else if n > 0 {
			s.u.o.Log.Warn("uplink: what the platform wants is too long", "bytes", n, "most", MaxWantBytes)
		}
	})
	if isDenied(err) {
		s.u.o.Log.Warn("uplink: the broker does not let this device read "+topic, "err", err, "do", "let it read that topic, or take want out of the policy's broker.commands")
		return nil
	}
	return err
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
	t := s.link.client.Publish(s.u.base+"state", 1, true, s.encodeGoodbye())
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
