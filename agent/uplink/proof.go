package uplink

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"kerb/agent/retry"
)

// schemaProof names the message that proves a topic on which there is nothing to
// say at the moment. It is never retained; consumers ignore it by its schema.
const schemaProof = "kerb.proof/1"

// proofJSON is that message.
type proofJSON struct {
	Schema string `json:"schema"`
	Tenant string `json:"tenant"`
	Site   string `json:"site"`
	Device string `json:"device"`
	Serial string `json:"serial"`
}

// proofRetryMax bounds the delay before a denied topic is tried again, which begins
// with half of Opts.AckTimeout and doubles. A try is one message of about 100 bytes,
// and the access control is mostly mended minutes after kerb has told the fault.
// Chosen by hand.
const proofRetryMax = 2 * time.Minute

// proofDelay returns the delay after so many failures.
func (u *Uplink) proofDelay(failures int) time.Duration {
	return retry.Delay(u.o.AckTimeout/2, proofRetryMax, failures)
}

// topicProof holds the state of one topic on the present connection.
type topicProof struct {
	required bool   // no window is sent before it is proven
	proven   bool   // a message came back on this connection
	why      string // why it is denied; "" where it is not
	failures int
	retryAt  time.Time // when a denied topic is tried again; zero while a try is under way
}

// proof decides whether windows may be sent. Every message proves its own topic, as
// it is settled only when it came back (link.deliver). In addition the state and
// the commands are proven on each connection before the first window goes, and
// every topic at the start of the process and after a denial.
type proof struct {
	u      *Uplink
	topics map[string]*topicProof
}

func newProof(u *Uplink) *proof {
	p := &proof{u: u, topics: map[string]*topicProof{}}
	for _, t := range u.ownTopics() {
		always := t == u.base+"state" || t == u.base+"cmd"
		p.topics[t] = &topicProof{required: always || !u.provenOnce[t]}
	}
	for t, denied := range u.closings.denied {
		known := *denied
		p.topics[t] = &known
	}
	return p
}

// ownTopics returns every topic on which the device publishes or listens, the state
// first.
func (u *Uplink) ownTopics() []string {
	topics := []string{u.base + "state"}
	if u.acceptsCommands() {
		topics = append(topics, u.base+"cmd", u.base+"ack")
	}
	for _, s := range u.o.Birth.Streams {
		topics = append(topics, u.o.Format.Topic(u.address, s.ID, false), u.o.Format.Topic(u.address, s.ID, true))
		if u.o.KeepsNow {
			topics = append(topics, u.nowTopic(s.ID))
		}
	}
	return append(topics, u.base+"event", u.base+"meta")
}

// required returns the messages that prove the required topics, except those of
// state and meta, which prove themselves.
func (p *proof) required(serial func() string) (ms []message) {
	for _, t := range p.u.ownTopics() {
		if s := p.topics[t]; s.required && s.why == "" && t != p.u.base+"state" && t != p.u.base+"meta" {
			ms = append(ms, p.u.encodeProof(t, serial()))
		}
	}
	return ms
}

// encodeProof returns a message that proves a topic.
func (u *Uplink) encodeProof(topic, serial string) message {
	return message{topic: topic, payload: mustMarshal(proofJSON{Schema: schemaProof, Tenant: u.o.Tenant, Site: u.o.Site, Device: u.o.Device, Serial: serial})}
}

// holds reports whether windows must wait: a required topic is not proven yet, or a
// topic is denied.
func (p *proof) holds() bool {
	for name := range p.topics {
		if p.holdsTopic(name) {
			return true
		}
	}
	return false
}

// holdsTopic reports whether the messages of one topic must wait.
func (p *proof) holdsTopic(name string) bool {
	t := p.topics[name]
	return t != nil && (t.why != "" || t.required && !t.proven)
}

// awaits reports whether the topic is denied and its next try is not due.
func (p *proof) awaits(name string) bool {
	t := p.topics[name]
	return t != nil && t.why != "" && !t.retryAt.IsZero()
}

// denied returns the denied topics in the order of their names.
func (p *proof) denied() (topics []string) {
	for t, s := range p.topics {
		if s.why != "" {
			topics = append(topics, t)
		}
	}
	slices.Sort(topics)
	return topics
}

// topic returns the entry of a topic. A stream that the birth message does not
// declare gets one with its first message.
func (p *proof) topic(name string) *topicProof {
	if p.topics[name] == nil {
		p.topics[name] = &topicProof{}
	}
	return p.topics[name]
}

// onProven records that a message came back. It reports whether that is news.
func (p *proof) onProven(topic string) (news bool) {
	t := p.topic(topic)
	news = !t.proven || t.why != ""
	*t = topicProof{required: t.required, proven: true}
	p.u.provenOnce[topic] = true
	return news
}

// onDenied records that a message did not come back, and when the topic is tried
// again. It reports whether that is news. Messages that were under way together are
// one try: thirty answers that are denied at once are one failure.
func (p *proof) onDenied(e *deniedError, now time.Time) (news bool) {
	t := p.topic(e.topic)
	news = t.why != e.why
	if p.awaits(e.topic) {
		t.why = e.why
		return news
	}
	wait := p.u.proofDelay(t.failures)
	t.proven, t.why, t.failures = false, e.why, t.failures+1
	t.retryAt = now.Add(wait/2 + rand.N(wait/2+1))
	delete(p.u.provenOnce, e.topic)
	return news
}

// due returns the denied topics whose next try is due, and marks them as tried.
func (p *proof) due(now time.Time) (topics []string) {
	for _, name := range p.denied() {
		if t := p.topics[name]; !t.retryAt.IsZero() && !t.retryAt.After(now) {
			topics = append(topics, name)
			t.retryAt = time.Time{}
		}
	}
	return topics
}

// untilNext returns the time until the next try of a denied topic is due, at least a
// millisecond; 0: none will be.
func (p *proof) untilNext(now time.Time) (wait time.Duration) {
	for _, t := range p.topics {
		if t.why == "" || t.retryAt.IsZero() {
			continue
		}
		if left := max(t.retryAt.Sub(now), time.Millisecond); wait == 0 || left < wait {
			wait = left
		}
	}
	return wait
}

// decided reports whether every required topic is proven or denied.
func (p *proof) decided() bool {
	for _, t := range p.topics {
		if t.required && !t.proven && t.why == "" {
			return false
		}
	}
	return true
}

// report returns the proof for the status.
func (p *proof) report() (topics []TopicProof) {
	for _, name := range slices.Sorted(maps.Keys(p.topics)) {
		t := p.topics[name]
		topics = append(topics, TopicProof{Topic: name, Proven: t.proven, Why: t.why})
	}
	return topics
}

// manyKinds is the number of denied kinds from which one line for all topics of the
// device is told instead of one for each kind. Chosen by hand.
const manyKinds = 3

// aclLines returns the lines that the access control of the broker lacks, as
// mosquitto's acl_file writes them. Whether reading or writing is denied cannot be
// known from here, so the lines ask for both.
func (u *Uplink) aclLines(denied []string) (lines []string) {
	if len(denied) == 0 {
		return nil
	}
	var kinds []string
	for _, t := range denied {
		kind, own := strings.CutPrefix(t, u.base)
		if stream := strings.LastIndexByte(kind, '/'); own && stream >= 0 {
			kind = kind[:stream] + "/#"
		}
		if !own {
			kind = t // a format with topics of its own
		} else {
			kind = u.base + kind
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) >= manyKinds || slices.Contains(kinds, u.base+"state") {
		kinds = []string{u.base + "#"}
	}
	if u.o.User != "" {
		lines = append(lines, "user "+u.o.User)
	}
	for _, k := range kinds {
		lines = append(lines, "topic readwrite "+k)
	}
	return lines
}

// describeDenied returns one line for the log and for kerb check -connect.
func (u *Uplink) describeDenied(denied []TopicProof) string {
	var names []string
	for _, t := range denied {
		names = append(names, t.Topic)
	}
	which := denied[0].Topic + " (" + denied[0].Why + ")"
	if more := len(denied) - 1; more > 0 {
		which += fmt.Sprintf(" and %d more", more)
	}
	lines, below := u.aclLines(names), ""
	if u.o.User != "" {
		lines, below = lines[1:], fmt.Sprintf(" below %q", lines[0])
	}
	hint := ""
	if denied[0].Why == whyClosed && u.isRetained(denied[0].Topic) {
		hint = "; " + hintRetain
	}
	return fmt.Sprintf("broker %s: logged in, but it does not pass on %s; its access control needs \"%s\"%s, and no line that denies it%s",
		u.broker.Host, which, strings.Join(lines, "\" and \""), below, hint)
}

// isRetained reports whether the device's messages on the topic are retained.
func (u *Uplink) isRetained(topic string) bool {
	return topic == u.base+"state" || topic == u.base+"meta" || u.isNow(topic)
}
