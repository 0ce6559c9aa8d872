package camera

import (
	"crypto/sha256"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The bounds of the time between two askings for one picture. A camera whose
// pictures change every few minutes gains nothing from more, and many devices
// may ask one server.
const (
	MinPollEvery = 10 * time.Second
	MaxPollEvery = time.Hour
)

// Asked is what is remembered of an address between two askings: when it may be
// asked again, and by what the same picture is known. It holds no picture, but
// the hash of one, and belongs to one process. Its zero value knows nothing.
type Asked struct {
	etag, lastModified string
	sum                [sha256.Size]byte
	format             format
	w, h               int
	nextPoll           time.Time
	minWait            time.Duration // how long the camera wants to be left alone
	failures           int           // in a row
}

// Due is the earliest time of the next asking.
func (a *Asked) Due() time.Time { return a.nextPoll }

// hasValidator reports whether the camera could say that nothing has changed.
func (a *Asked) hasValidator() bool { return a.w > 0 && (a.etag != "" || a.lastModified != "") }

// forgetPicture makes the same picture a new one.
func (a *Asked) forgetPicture() {
	*a = Asked{nextPoll: a.nextPoll, minWait: a.minWait, failures: a.failures}
}

// conditionalHeader ask for a picture only if it is another one: RFC 9110, section 13.1.
func (a *Asked) conditionalHeader() http.Header {
	h := http.Header{}
	if a.w > 0 && a.etag != "" {
		h.Set("If-None-Match", a.etag)
	}
	if a.w > 0 && a.lastModified != "" {
		h.Set("If-Modified-Since", a.lastModified)
	}
	return h
}

// noteResponse reports whether what came is what came before, byte for byte, and
// remembers what came.
func (a *Asked) noteResponse(res *http.Response, sum [sha256.Size]byte) bool {
	same := a.w > 0 && sum == a.sum
	a.sum, a.etag, a.lastModified = sum, res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	return same
}

// readMinWait takes what the camera says of when to ask again: not before what it gave
// has aged, or before the time that it names (RFC 9111, section 4.2; RFC 9110,
// section 10.2.3).
func (a *Asked) readMinWait(res *http.Response, now time.Time) {
	a.minWait = parseRetryAfter(res.Header, now)
	if res.StatusCode < http.StatusBadRequest {
		a.minWait = max(a.minWait, freshFor(res.Header, now))
	}
}

// scheduleNext sets the time of the next asking after one that was answered.
func (a *Asked) scheduleNext(begun time.Time, every time.Duration) {
	a.failures = 0
	a.setNextPoll(begun, every)
}

// scheduleRetry does so after one that brought nothing: at first it is repeated sooner
// than usual.
func (a *Asked) scheduleRetry(begun time.Time, every time.Duration) {
	a.setNextPoll(begun, min(MinPollEvery<<min(a.failures, 10), every))
	a.failures++
}

// setNextPoll adds up to a tenth, so that devices started together do not ask together,
// and stays within MaxPollEvery.
func (a *Asked) setNextPoll(begun time.Time, usual time.Duration) {
	usual += time.Duration(rand.Float64() * 0.1 * float64(usual))
	a.nextPoll = begun.Add(min(max(usual, a.minWait, MinPollEvery), MaxPollEvery))
	a.minWait = 0
}

// freshFor is how long what came is said to stay as it is.
func freshFor(h http.Header, now time.Time) time.Duration {
	for _, word := range strings.Split(h.Get("Cache-Control"), ",") {
		if age, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(word)), "max-age="); ok {
			return parseSeconds(age) - parseSeconds(h.Get("Age"))
		}
	}
	expires, err := http.ParseTime(h.Get("Expires"))
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date // by the clock that set it
	}
	return expires.Sub(now)
}

func parseRetryAfter(h http.Header, now time.Time) time.Duration {
	at, err := http.ParseTime(h.Get("Retry-After"))
	if err != nil {
		return parseSeconds(h.Get("Retry-After"))
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return at.Sub(now)
}

// parseSeconds is a number of them, or none.
func parseSeconds(s string) time.Duration {
	n, err := strconv.ParseUint(strings.Trim(s, ` "`), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
