package uplink

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// subackRefused is the lowest return code with which a SUBACK refuses a
// subscription (MQTT 3.1.1 §3.9.3: 0x80 is the only one).
const subackRefused = 0x80

// deniedError reports that the broker does not pass on what is published on a
// topic. The connection itself is well.
type deniedError struct{ topic, why string }

func (e *deniedError) Error() string { return e.topic + ": " + e.why }

// isDenied reports whether the error is a *deniedError.
func isDenied(err error) bool {
	var denied *deniedError
	return errors.As(err, &denied)
}

// The reasons of a deniedError.
const (
	whyNotGivenBack = "acknowledged, but not given back"
	whyUnanswered   = "neither acknowledged nor given back"
	whyNoListening  = "subscription refused (SUBACK 0x80)"
)

// echo is a message that was published and is expected back.
type echo struct {
	topic   string
	payload []byte
	came    chan struct{} // closed when it came
}

// echoes matches the messages that the broker gives back with those that were
// published. Its methods may be called from several goroutines.
type echoes struct {
	mu       sync.Mutex
	expected []*echo
}

// expect registers a message before it is published.
func (e *echoes) expect(m message) *echo {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := &echo{topic: m.topic, payload: m.payload, came: make(chan struct{})}
	e.expected = append(e.expected, x)
	return x
}

// forget removes an echo that is no longer waited for.
func (e *echoes) forget(x *echo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, o := range e.expected {
		if o == x {
			e.expected = append(e.expected[:i], e.expected[i+1:]...)
			return
		}
	}
}

// match reports whether the message is an expected one, and ends the wait for it.
func (e *echoes) match(topic string, payload []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, o := range e.expected {
		if o.topic == topic && bytes.Equal(o.payload, payload) {
			close(o.came)
			e.expected = append(e.expected[:i], e.expected[i+1:]...)
			return true
		}
	}
	return false
}

// received is a message on one of the device's own topics that this connection did
// not publish.
type received struct {
	topic    string
	payload  []byte
	retained bool
}

// maxReceived bounds the received messages that wait for the session; further ones
// are dropped. Chosen by hand.
const maxReceived = 16

// hear takes a message of the broker. A live copy of an expected message proves its
// topic; everything else goes to the session, such as the retained state that was
// there before. It never blocks.
func (l *link) hear(_ mqtt.Client, m mqtt.Message) {
	if m.Retained() {
		l.keeping.Do(func() { close(l.kept) })
	} else if l.echoes.match(m.Topic(), m.Payload()) {
		return
	}
	select {
	case l.received <- received{m.Topic(), m.Payload(), m.Retained()}:
	default:
	}
}

// listen subscribes to one of the device's own topics, once on a connection. It
// returns a *deniedError where the broker refuses the subscription, at the first
// call and at later ones.
func (l *link) listen(topic string) error {
	l.subsMu.Lock()
	defer l.subsMu.Unlock()
	if err, done := l.subs[topic]; done {
		return err
	}
	err := l.subscribeOwn(topic)
	if err == nil || isDenied(err) {
		l.subs[topic] = err
	}
	return err
}

// subscribeOwn subscribes to one of the device's own topics, once more where it did
// before. subsMu must be held.
//
// The QoS is 0: the session is clean, so that a broker keeps nothing for it beyond the
// connection, and a command without an answer is sent again. For a subscription at QoS 1
// NATS makes a JetStream consumer with three replicas.
func (l *link) subscribeOwn(topic string) error {
	hear := mqtt.MessageHandler(l.hear)
	if h := l.handlers[topic]; h != nil {
		hear = h
	}
	return l.subscribe(topic, hear)
}

// listenWith is listen with a handler of its own.
func (l *link) listenWith(topic string, handle mqtt.MessageHandler) error {
	l.subsMu.Lock()
	l.handlers[topic] = handle
	l.subsMu.Unlock()
	return l.listen(topic)
}

// forgetRefusal makes the next listen ask the broker again.
func (l *link) forgetRefusal(topic string) {
	l.subsMu.Lock()
	defer l.subsMu.Unlock()
	if l.subs[topic] != nil {
		delete(l.subs, topic)
	}
}

// subscribe sends one SUBSCRIBE with QoS 0 and reads the return code of its SUBACK, which paho
// does not report as an error.
func (l *link) subscribe(topic string, handle mqtt.MessageHandler) error {
	t, ok := l.client.Subscribe(topic, 0, handle).(*mqtt.SubscribeToken)
	if !ok || !t.WaitTimeout(l.ackWait) {
		return fmt.Errorf("subscribe to %s: %w", topic, errNoAck)
	}
	if err := t.Error(); err != nil {
		return fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	if t.Result()[topic] >= subackRefused {
		return &deniedError{topic, whyNoListening}
	}
	return nil
}

// provesKept finds out whether the broker keeps a retained message that it has passed
// on. A broker gives what it keeps to each new subscription (MQTT 3.1.1 §3.8.4), so one
// is made where no retained message came on this connection yet. err is not nil where
// the connection or the subscription failed: then it is not known.
func (l *link) provesKept(topic string) (kept bool, err error) {
	select {
	case <-l.kept:
		return true, nil
	default:
	}
	if err := l.subscribe(topic, l.hear); err != nil {
		return false, err
	}
	timeout := time.NewTimer(l.ackWait)
	defer timeout.Stop()
	select {
	case <-l.kept:
		return true, nil
	case <-timeout.C:
		return false, nil
	case <-l.closed:
		return false, errClosed
	}
}

// judgeSilence returns why a message was not acknowledged in time. Some brokers drop
// what their access control denies and say nothing, against MQTT 3.1.1 §3.3.5. A
// broker handles the packets of a connection in order: where it answers a SUBSCRIBE
// that was sent after the message, and not the message, that was dropped.
func (l *link) judgeSilence(topic string, message mqtt.Token, x *echo) error {
	l.subsMu.Lock()
	defer l.subsMu.Unlock()
	if l.subscribeOwn(topic) != nil {
		return errNoAck
	}
	select {
	case <-x.came: // late
		return nil
	case <-message.Done(): // late, as on a slow link
		return errNoAck
	default:
		return &deniedError{topic, whyUnanswered}
	}
}

// deliver publishes one message, and waits for its PUBACK and until the broker has
// given it back to this very connection. nil means that every client that may read the topic
// gets it. A *deniedError means that the connection is well and the broker passes
// nothing on; any other error ends the connection.
func (l *link) deliver(m message) error {
	if err := l.listen(m.topic); err != nil {
		return err
	}
	x := l.echoes.expect(m)
	defer l.echoes.forget(x)
	t := l.publish(m)
	if err := l.awaitAck(t); errors.Is(err, errNoAck) {
		return l.judgeSilence(m.topic, t, x)
	} else if err != nil {
		return err
	}
	timeout := time.NewTimer(l.ackWait)
	defer timeout.Stop()
	select {
	case <-x.came:
		return nil
	case <-timeout.C:
		return &deniedError{m.topic, whyNotGivenBack}
	case <-l.closed:
		return errors.New("connection lost before the message came back")
	}
}
