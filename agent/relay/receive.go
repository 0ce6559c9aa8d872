package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/advice"
	"kerb/agent/retry"
	"kerb/agent/uplink"
)

// The bounds of a session, chosen by hand.
const (
	connectTimeout = 15 * time.Second
	ackTimeout     = 30 * time.Second
	keepAlive      = 30 * time.Second
	inFlight       = 4096            // messages in memory that are not committed; the broker has its own bound, 20 in mosquitto
	perCommit      = 512             // messages of one transaction
	settle         = 2 * time.Second // after the first subscription, in which retained messages come
	retryMin       = time.Second
	retryMax       = time.Minute
)

// receive connects, takes messages and reconnects until ctx ends. It returns an error
// where the position cannot be written: then nothing may be acknowledged.
func (r *Relay) receive(ctx context.Context) error {
	logged := ""
	for failures := 0; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := r.session(ctx)
		var fatal storeError
		switch {
		case errors.As(err, &fatal):
			return err
		case ctx.Err() != nil:
			return nil
		}
		if time.Since(began) > retryMax {
			failures = 0
		}
		if text := fmt.Sprint(err); text != logged {
			logged = text
			r.log.Warn("relay: broker", "err", err, "do", advice.Broker(text))
		}
		retry.Sleep(ctx, retry.Delay(retryMin, retryMax, failures))
	}
	return nil
}

// storeError reports that the position could not be written.
type storeError struct{ error }

func (e storeError) Unwrap() error { return e.error }

// session is one connection: a client of its own with a persistent session, so that the
// broker keeps what comes meanwhile, and sends again what was not acknowledged.
func (r *Relay) session(ctx context.Context) error {
	id := r.o.ClientID
	if id == "" {
		id = "kerb-relay-" + r.db.id()
	}
	arrived, lost := make(chan mqtt.Message, inFlight), make(chan error, 1)
	ended := make(chan struct{})
	defer close(ended)
	o, err := clientOptions(r.o.Broker, id, r.o.User, r.o.PasswordFile, r.o.TLS)
	if err != nil {
		return err
	}
	take := func(_ mqtt.Client, m mqtt.Message) {
		select {
		case arrived <- m:
		case <-ended:
		}
	}
	o.SetCleanSession(false).SetAutoAckDisabled(true).SetDefaultPublishHandler(take).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err })
	c := mqtt.NewClient(o)
	t := c.Connect()
	if err := wait(t); err != nil {
		c.Disconnect(0)
		return fmt.Errorf("connect to %s: %w", r.o.Broker, err)
	}
	defer c.Disconnect(250)
	if !hadSession(t) {
		r.commands.forgetStates()
	}
	committed := make(chan error, 1)
	go func() { committed <- r.commitAll(arrived, ended) }()
	if err := subscribe(c, r.o.Topics, take); err != nil {
		return err
	}
	r.log.Info("relay: connected", "broker", r.o.Broker, "client_id", id)
	readyTimer := time.AfterFunc(settle, func() { r.readyOne.Do(func() { close(r.ready) }) })
	defer readyTimer.Stop()
	r.commands.attach(c)
	defer r.commands.attach(nil)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-lost:
			return fmt.Errorf("connection lost: %w", err)
		case err := <-committed:
			return err
		case <-ticker.C:
			if err := r.sendCommands(ctx); err != nil {
				return err
			}
			if err := r.announce(c); err != nil {
				return err
			}
		}
	}
}

// hadSession reports whether the broker has kept the session. One that has not, as after a
// crash without persistence, has lost windows that it had acknowledged to devices.
func hadSession(t mqtt.Token) bool {
	c, ok := t.(*mqtt.ConnectToken)
	return ok && c.SessionPresent()
}

// clientOptions returns the options of a client that neither reconnects nor retries by
// itself.
func clientOptions(broker, id, user, passwordFile string, t uplink.TLS) (*mqtt.ClientOptions, error) {
	b, c, err := uplink.BrokerAddress(broker, t)
	if err != nil {
		return nil, err
	}
	o := mqtt.NewClientOptions().AddBroker(b.String()).SetClientID(id).SetUsername(user).SetProtocolVersion(4).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(connectTimeout).SetKeepAlive(keepAlive).SetOrderMatters(true)
	if c != nil {
		o.SetTLSConfig(c)
	}
	if passwordFile != "" {
		p, err := readSecret(passwordFile)
		if err != nil {
			return nil, fmt.Errorf("broker's password: %w", err)
		}
		o.SetPassword(p)
	}
	return o, nil
}

// wait waits for a token.
func wait(t mqtt.Token) error {
	if !t.WaitTimeout(ackTimeout) {
		return errors.New("no answer")
	}
	return t.Error()
}

// subscribe subscribes to the messages of the devices that match the filter. The
// subscriptions stay in the session of the broker.
func subscribe(c mqtt.Client, devices string, take mqtt.MessageHandler) error {
	filters := map[string]byte{}
	for _, kind := range []string{"meta", "state", "event", "ack", "count/+", "backfill/+"} {
		filters["kerb/v1/"+devices+"/"+kind] = 1
	}
	t := c.SubscribeMultiple(filters, take)
	if err := wait(t); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if s, ok := t.(*mqtt.SubscribeToken); ok {
		for topic, code := range s.Result() {
			if code > 2 {
				return fmt.Errorf("the broker refuses the subscription to %s: its access control must let the relay read there", topic)
			}
		}
	}
	return nil
}

// commitAll commits the messages that arrive, many in one transaction, and acknowledges
// each to the broker after that.
func (r *Relay) commitAll(arrived chan mqtt.Message, ended chan struct{}) error {
	for {
		var batch []mqtt.Message
		select {
		case m := <-arrived:
			batch = append(batch, m)
		case <-ended:
			return nil
		}
	more:
		for len(batch) < perCommit {
			select {
			case m := <-arrived:
				batch = append(batch, m)
			default:
				break more
			}
		}
		if err := r.commit(batch); err != nil {
			return storeError{fmt.Errorf("write the position: %w", err)}
		}
		for _, m := range batch {
			m.Ack()
		}
		signal(r.wake)
	}
}

// commit takes messages into the position in one synced transaction.
func (r *Relay) commit(batch []mqtt.Message) error {
	sites := false
	err := r.db.update(r.now(), func(l *ledgerTx) error {
		l.keptSince = r.now().Add(-r.o.Keep).UTC().Format(time.DateOnly)
		r.setFull(l.waiting)
		for _, m := range batch {
			if err := r.take(l, m.Topic(), m.Payload()); err != nil {
				return err
			}
		}
		sites = l.sites
		return nil
	})
	if sites {
		r.commands.siteChanged() // after the commit, or the reader would miss it
	}
	return err
}

// take takes one message. A message that is not of its topic's device is logged and
// left out.
func (r *Relay) take(l *ledgerTx, topic string, payload []byte) error {
	a, kind, ok := topicOf(topic)
	if !ok || uplink.IsProof(payload) {
		return nil
	}
	switch kind {
	case "count":
		return r.takeWindow(l, a, payload)
	case "backfill":
		var many []json.RawMessage
		if json.Unmarshal(payload, &many) != nil {
			return nil
		}
		for _, raw := range many {
			if err := r.takeWindow(l, a, raw); err != nil {
				return err
			}
		}
	case "meta":
		return r.takeMeta(l, a, payload)
	case "state":
		r.commands.takeState(a, payload)
	case "event":
		return takeEvent(l, a, payload)
	case "ack":
		return r.takeAnswer(l, a, payload)
	}
	return nil
}

// takeWindow takes a window that is new by its key, and counts one that came again.
func (r *Relay) takeWindow(l *ledgerTx, a uplink.Address, raw []byte) error {
	w, err := parseWindow(a, raw)
	if err != nil {
		r.log.Warn("relay: left out", "device", a.String(), "err", err)
		return nil
	}
	t, err := l.space(w.space())
	if err != nil {
		return err
	}
	if t.Got.contains(w.Seq) {
		t.Twice++
		if l.clashes(w, raw) {
			return r.takeClash(l, w, t)
		}
		return nil
	}
	if r.leaves(l, a) {
		r.leave(w, t)
		return nil
	}
	l.addMark(w, raw)
	w.trustTime(l.now)
	t.Got.add(span{w.Seq, w.Seq, w.Start.Unix(), w.Start.Unix()})
	if err := l.addToDay(w); err != nil {
		return err
	}
	r.commands.noteSpace(w.space(), t)
	return l.enqueue(w, raw)
}

// takeMeta keeps what a device declares. An empty message deletes it: the device was
// taken out of service.
func (r *Relay) takeMeta(l *ledgerTx, a uplink.Address, payload []byte) error {
	b := l.tx.Bucket(metaBucket)
	if was := b.Get([]byte(a.String())); bytes.Equal(was, payload) {
		return nil // every connection of a device sends it again
	}
	delete(l.metas, a)
	l.sites = true
	if len(payload) == 0 {
		return b.Delete([]byte(a.String()))
	}
	var m meta
	if json.Unmarshal(payload, &m) != nil || m.Schema != schemaMeta || m.address() != a {
		r.log.Warn("relay: left out", "device", a.String(), "err", "not a meta of this device")
		return nil
	}
	return b.Put([]byte(a.String()), payload)
}

// event is a message of the schema kerb.event/1.
type event struct {
	Schema string          `json:"schema"`
	Kind   string          `json:"kind"`
	Data   json.RawMessage `json:"data"`
}

// windowEvent is the data of the events that tell of windows: evicted and epoch.
type windowEvent struct {
	Epoch    string            `json:"epoch"`
	Previous string            `json:"previous"`
	Last     map[string]uint64 `json:"last"`
	goneRange
}

// goneRange names windows that a device has no longer.
type goneRange struct {
	Epoch  string `json:"epoch"`
	Stream string `json:"stream"`
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
	Reason string `json:"reason"`
}

// takeEvent takes the ranges that are gone, the last numbers of the epoch before, and what
// kerb fleet check judges.
func takeEvent(l *ledgerTx, a uplink.Address, payload []byte) error {
	var e event
	if json.Unmarshal(payload, &e) != nil || e.Schema != schemaEvent {
		return nil
	}
	if e.Kind != "evicted" && e.Kind != "epoch" {
		return l.keepTold(a, e.Kind, e.Data)
	}
	var d windowEvent
	if json.Unmarshal(e.Data, &d) != nil {
		return nil
	}
	if e.Kind == "evicted" {
		g := d.goneRange
		g.Epoch = d.Epoch
		return takeGone(l, a, g)
	}
	for stream, last := range d.Last {
		if !isLevel(stream) || !isLevel(d.Previous) || !isLevel(d.Epoch) || last > maxSeq {
			continue
		}
		t, err := l.space(space{a, d.Previous, stream})
		if err != nil {
			return err
		}
		t.Last, t.Next = max(t.Last, last), d.Epoch
	}
	return nil
}

// takeGone takes a range that the device has no longer. Windows that were received before are not lost.
func takeGone(l *ledgerTx, a uplink.Address, g goneRange) error {
	if !isLevel(g.Epoch) || !isLevel(g.Stream) || g.From == 0 || g.To < g.From || g.To > maxSeq {
		return nil
	}
	if !isLevel(g.Reason) {
		g.Reason = "unknown"
	}
	t, err := l.space(space{a, g.Epoch, g.Stream})
	if err != nil {
		return err
	}
	if t.Gone == nil {
		t.Gone = map[string]spans{}
	}
	s := t.Gone[g.Reason]
	s.add(span{From: g.From, To: g.To})
	t.Gone[g.Reason] = s
	t.Last = max(t.Last, g.To)
	return nil
}
