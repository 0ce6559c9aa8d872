package uplink

import (
	"context"
	"fmt"
	"time"
)

// ClearRetained removes the messages of the device that the broker retains, state, meta
// and the last windows of the given streams (see store.Store.Shown), by publishing
// empty ones in their place (MQTT 3.1.1 §3.3.1.3). Without it
// a device that is gone is offline for ever, and new subscribers learn of it. o needs
// no store. The device must not be connected: it would publish both again.
//
// A broker that denies the publish acknowledges it all the same, so the empty
// messages must come back, as all messages of the device must.
func ClearRetained(ctx context.Context, o Opts, streams []string) error {
	u, err := newUplink(o)
	if err != nil {
		return err
	}
	l, err := u.connectAs(ctx, u.extraClientID("-clear"), nil)
	if err != nil {
		return err
	}
	defer l.disconnect(time.Second)
	for _, topic := range RetainedTopics(u.address, streams) {
		if err := l.deliver(message{topic: topic, retained: true}); err != nil {
			return fmt.Errorf("clear %s: %w", topic, err)
		}
	}
	return nil
}

// RetainedTopics returns the topics of the retained messages of a device of which the
// broker keeps the last windows of the given streams.
func RetainedTopics(a Address, streams []string) []string {
	topics := []string{a.ownTopics() + "state", a.ownTopics() + "meta"}
	for _, s := range streams {
		topics = append(topics, a.nowTopic(s))
	}
	return topics
}
