package uplink

import (
	"slices"
	"strings"

	"kerb/agent/store"
)

// Format encodes released windows for the consumers of one payload format. A
// format decides the topics of the windows and their bytes, alone:
// order, timing and the meaning of an acknowledgement are the same for all.
// The device's own messages (state, meta, event, ack) are kerb/v1 JSON beside
// every format.
//
// A format has no state: the same arguments always give the same bytes, because
// a window that is sent again must be equal to the first one (DESIGN: duplicates
// are identical). The length of a window must not depend on its counts.
type Format interface {
	// Topic returns the topic on which the windows of a stream are published,
	// as soon as they are released (late false) or from the backlog (late
	// true). Levels are 1–64 of a–z, 0–9, _ and -, without wildcards.
	Topic(a Address, stream string, late bool) string

	// Append appends the encoded window e to b and returns the longer slice.
	// It does not keep b.
	Append(b []byte, a Address, e store.Entry) []byte

	// Frame returns the bytes around the windows of one message. A live message
	// holds one window, a late message at least one.
	Frame(late bool) Frame
}

// Frame is what stands in a message before its first window, between two
// windows, and after the last one: "[", "," and "]" make a JSON array, a newline
// as Between makes lines, and 0x9f and 0xff make an array of CBOR.
type Frame struct{ Open, Between, Close string }

// Address holds the three levels that name a device in topics and payloads.
type Address struct{ Tenant, Site, Device string }

// String returns tenant/site/device, as ParseAddress reads it.
func (a Address) String() string { return a.Tenant + "/" + a.Site + "/" + a.Device }

// ParseAddress parses the String of an address. ok is false for any other text.
func ParseAddress(s string) (a Address, ok bool) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || slices.ContainsFunc(parts, func(l string) bool { return !isTopicLevel(l) }) {
		return Address{}, false
	}
	return Address{parts[0], parts[1], parts[2]}, true
}

// topicRoot begins every topic of the device's own messages.
const topicRoot = "kerb/v1/"

// ownTopics returns the topic of the device's own messages, without its last
// level: kerb/v1/{tenant}/{site}/{device}/.
func (a Address) ownTopics() string {
	return topicRoot + a.String() + "/"
}

// formats returns the payload formats; the first is the default. A new format
// is one new file in this package and one word here.
func formats() []Format { return []Format{kerbV1{}} }
