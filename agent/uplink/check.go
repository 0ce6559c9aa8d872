package uplink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// checkWait is the time for an acknowledgement, and then for the message to come
// back, in CheckConnection: an engineer waits for it. Chosen by hand.
const checkWait = 5 * time.Second

// CheckConnection logs in, proves every topic of the device, and disconnects. It has
// a client id of its own, so that a running agent keeps its connection. It sends no
// window, and leaves nothing behind at the broker: where the broker keeps no state of
// this device yet, it publishes one retained proof and wipes it. The error is one
// line with the cause and with what must be changed.
func (u *Uplink) CheckConnection(ctx context.Context) error {
	l, err := u.connectToCheck(ctx)
	if err != nil {
		return err
	}
	defer func() { l.disconnect(time.Second) }()
	topics := u.ownTopics()
	left, denied, err := u.checkTopics(l, topics, len(topics))
	for err != nil && len(left) > 0 && ctx.Err() == nil {
		// Closed: again, one by one, so that it is known at which topic.
		l.disconnect(0)
		next, cerr := u.connectToCheck(ctx)
		if cerr != nil {
			return cerr
		}
		l = next
		var more []TopicProof
		left, more, err = u.checkTopics(l, left, 1)
		denied = append(denied, more...)
		if err != nil {
			denied, left = append(denied, TopicProof{Topic: left[0], Why: whyClosed}), left[1:]
		}
	}
	if len(denied) > 0 {
		slices.SortFunc(denied, func(a, b TopicProof) int { return strings.Compare(a.Topic, b.Topic) })
		return errors.New(u.describeDenied(denied))
	}
	if err != nil {
		return fmt.Errorf("broker %s: %w", u.broker.Host, plainCause(err))
	}
	return u.checkRetained(l)
}

// connectToCheck connects under the client id of checks, without a Last Will.
func (u *Uplink) connectToCheck(ctx context.Context) (*link, error) {
	u.connections++
	l, err := u.connectAs(ctx, u.extraClientID("-try"), nil)
	if err != nil {
		return nil, u.explainFailure(ctx, err)
	}
	l.ackWait = min(checkWait, u.o.AckTimeout)
	context.AfterFunc(ctx, l.closeSocket)
	return l, nil
}

// checkTopics proves topics, so many at once. It returns those whose answer is still
// open when the connection ends, and those that are denied.
func (u *Uplink) checkTopics(l *link, topics []string, atOnce int) (left []string, denied []TopicProof, failed error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	answered := make(map[string]bool)
	for i, topic := range topics {
		slots <- struct{}{}
		mu.Lock()
		over := failed != nil
		mu.Unlock()
		if over {
			break
		}
		all.Go(func() {
			err := l.deliver(u.encodeProof(topic, serial(u.twins.own, u.connections, uint64(i))))
			mu.Lock()
			defer mu.Unlock()
			defer func() { <-slots }()
			var d *deniedError
			if errors.As(err, &d) {
				denied = append(denied, TopicProof{Topic: topic, Why: d.why})
			} else if err != nil {
				failed = err
				return
			}
			answered[topic] = true
		})
	}
	all.Wait()
	for _, t := range topics {
		if !answered[t] {
			left = append(left, t)
		}
	}
	return left, denied, failed
}

// checkRetained proves that the broker keeps a retained message on the state topic:
// one of this device that it has already, or else one that is wiped at the end.
func (u *Uplink) checkRetained(l *link) error {
	topic := u.base + "state"
	// The retained state came before the proof on this topic, if there is one.
	if drainRetained(l, topic, "") {
		return nil
	}
	m := u.encodeProof(topic, serial(u.twins.own, 0, uint64(len(u.ownTopics()))))
	m.retained = true
	if err := l.deliver(m); err != nil {
		return fmt.Errorf("broker %s: %w, at a retained message on %s: %s", u.broker.Host, plainCause(err), topic, hintRetain)
	}
	defer func() { _ = l.publishAndWait(message{topic: topic, retained: true}) }()
	if err := l.subscribe(topic, l.hear); err != nil { // a new subscription gets the retained message (MQTT 3.1.1 §3.8.4)
		return fmt.Errorf("broker %s: %w", u.broker.Host, err)
	}
	for end := time.Now().Add(checkWait); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if drainRetained(l, topic, string(m.payload)) {
			return nil
		}
	}
	return fmt.Errorf("broker %s: it does not keep the retained message on %s: %s", u.broker.Host, topic, hintRetain)
}

// hintRetain says what a broker needs that refuses retained messages.
const hintRetain = "kerb needs retained messages (mosquitto: retain_available true; AWS IoT: iot:RetainPublish)"

// drainRetained reports whether a retained message on the topic, with that payload
// unless it is "", is among those received so far.
func drainRetained(l *link, topic, payload string) bool {
	for {
		select {
		case m := <-l.received:
			if m.topic == topic && m.retained && (payload == "" || payload == string(m.payload)) {
				return true
			}
		default:
			return false
		}
	}
}
