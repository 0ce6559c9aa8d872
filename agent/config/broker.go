package config

import (
	"cmp"
	"net/url"
	"time"
)

// The bounds of the keys of [broker] that say when messages are sent; chosen by hand,
// but for the client id, whose length every broker takes up to 23 bytes (MQTT 3.1.1
// §3.1.3.1) and all known ones up to 128.
const (
	maxClientID  = 128
	maxALPN      = 8
	maxSpread    = 15 * time.Minute
	minRetryMax  = time.Second
	maxRetry     = time.Hour
	minConfirm   = time.Minute
	maxConfirm   = 24 * time.Hour
	maxPace      = time.Hour
	minCap       = 64
	maxCap       = 100 << 20
	fleetSpread  = 30 * time.Second
	fleetRetry   = 30 * time.Second
	fleetLongest = 5 * time.Minute
)

// toBroker makes the values of [broker]. Where the file gives neither spread nor
// retry_min, they are those of a fleet, or 0 for a broker on this machine.
func (f siteFile) toBroker(dir string, has func(key string) bool) Broker {
	b := f.Broker
	v := Broker{
		URL: b.URL, User: b.User, PasswordFile: resolveSecret(dir, b.PasswordFile),
		CAFile: resolvePath(dir, b.CAFile), CertFile: resolvePath(dir, b.CertFile), KeyFile: resolveSecret(dir, b.KeyFile),
		ClientID: b.ClientID, ALPN: b.ALPN,
		Confirm: b.Confirm.Duration, NewestFirst: b.Newest, Pace: b.Pace.Duration, ByteRate: b.Cap,
		Spread: b.Spread.Duration, RetryMin: b.RetryMin.Duration, RetryMax: cmp.Or(b.RetryMax.Duration, fleetLongest),
	}
	if u, err := url.Parse(b.URL); err != nil || isLoopback(u.Hostname()) {
		return v
	}
	if !has("broker.spread") {
		v.Spread = fleetSpread
	}
	if !has("broker.retry_min") {
		v.RetryMin = min(fleetRetry, v.RetryMax)
	}
	return v
}

// checkSending checks the keys of [broker] that say how the device appears there and
// when it sends.
func (c checker) checkSending(b brokerFile) {
	if len(b.ClientID) > maxClientID || !isPrintable(b.ClientID) {
		c.Reject("broker.client_id", "must be 1–128 printable ASCII characters", "leave it out for kerb-NAME- and a part that belongs to this machine")
	}
	if len(b.ALPN) > maxALPN {
		c.Reject("broker.alpn", "must be at most 8 names", "")
	}
	for _, name := range b.ALPN {
		if name == "" || !isPrintable(name) {
			c.Reject("broker.alpn", "must be names of protocols", `for example ["x-amzn-mqtt-ca"]`)
			break
		}
	}
	for _, d := range []struct {
		key         string
		value       time.Duration
		least, most time.Duration
		rule        string
	}{
		{"broker.spread", b.Spread.Duration, 0, maxSpread, "must be 0s–15m"},
		{"broker.retry_min", b.RetryMin.Duration, 0, maxRetry, "must be 0s–1h"},
		{"broker.retry_max", b.RetryMax.Duration, minRetryMax, maxRetry, "must be 1s–1h"},
		{"broker.confirm", b.Confirm.Duration, minConfirm, maxConfirm, "must be 1m–24h"},
		{"broker.pace", b.Pace.Duration, 0, maxPace, "must be 0s–1h"},
	} {
		if c.HasKey(d.key) && (d.value < d.least || d.value > d.most) {
			c.Reject(d.key, d.rule, "")
		}
	}
	if longest := cmp.Or(b.RetryMax.Duration, fleetLongest); b.RetryMin.Duration > longest {
		c.Reject("broker.retry_min", "must not be above broker.retry_max", "which is 5m if left out")
	}
	if c.HasKey("broker.cap") && (b.Cap < minCap || b.Cap > maxCap) {
		c.Reject("broker.cap", "must be 64–104857600 bytes a second", "leave it out for no limit")
	}
}

// isPrintable reports whether s has printable ASCII characters alone.
func isPrintable(s string) bool {
	for _, r := range s {
		if r < '!' || r > '~' {
			return false
		}
	}
	return true
}
