package camera

import (
	"crypto/sha256"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MinPollEvery and MaxPollEvery bound the time between two requests for one
// picture. A camera whose pictures change every few minutes needs no
// more requests, and many devices may ask one server. Both were chosen by hand.
const (
	MinPollEvery = 10 * time.Second
	MaxPollEvery = time.Hour
)

const (
	// pollJitter is the share of the interval that is added at random, so that
	// devices started together do not ask together. Chosen by hand.
	pollJitter = 0.1
	// maxDoublings bounds the back-off after failures, so that the shift cannot
	// overflow: 10 s × 2^10 is beyond MaxPollEvery.
	maxDoublings = 10
)

// PollState is the state of one polled address between two requests: the earliest
// time of the next one, and the validators (ETag, Last-Modified, SHA-256) by
// which an unchanged picture is recognised. It holds the hash of a picture, never
// a picture. It belongs to one process, outlives one Snapshot, and is not safe for
// concurrent use. The zero value allows a request at once.
type PollState struct {
	etag, lastModified string
	sum                [sha256.Size]byte
	format             format
	w, h               int // of the last picture; 0: none yet
	nextPoll           time.Time
	minWait            time.Duration // as the last response asks for
	failures           int           // in a row
}

// NextPoll returns the earliest time of the next request.
func (p *PollState) NextPoll() time.Time { return p.nextPoll }

// hasValidator reports whether the server can answer 304 Not Modified.
func (p *PollState) hasValidator() bool { return p.w > 0 && (p.etag != "" || p.lastModified != "") }

// forgetPicture clears the validators and the size, so that the next picture is
// new even if it is the same. The schedule stays.
func (p *PollState) forgetPicture() {
	*p = PollState{nextPoll: p.nextPoll, minWait: p.minWait, failures: p.failures}
}

// conditionalHeader returns the headers of a conditional request, RFC 9110,
// section 13.1: the server sends a picture only if it differs from the last one.
func (p *PollState) conditionalHeader() http.Header {
	h := http.Header{}
	if p.w > 0 && p.etag != "" {
		h.Set("If-None-Match", p.etag)
	}
	if p.w > 0 && p.lastModified != "" {
		h.Set("If-Modified-Since", p.lastModified)
	}
	return h
}

// storeValidators stores the validators of a response and the hash of its body.
// It reports whether the body is the last one, byte for byte.
func (p *PollState) storeValidators(res *http.Response, sum [sha256.Size]byte) (same bool) {
	same = p.w > 0 && sum == p.sum
	p.sum, p.etag, p.lastModified = sum, res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	return same
}

// readMinWait sets minWait from a response: the time in Retry-After (RFC 9110,
// section 10.2.3), and for a good response at least as long as it stays fresh
// (RFC 9111, section 4.2).
func (p *PollState) readMinWait(res *http.Response, now time.Time) {
	p.minWait = parseRetryAfter(res.Header, now)
	if res.StatusCode < http.StatusBadRequest {
		p.minWait = max(p.minWait, freshFor(res.Header, now))
	}
}

// scheduleNext sets the time of the next request after an answered one.
func (p *PollState) scheduleNext(begun time.Time, every time.Duration) {
	p.failures = 0
	p.setNextPoll(begun, every)
}

// scheduleRetry sets the time of the next request after a failed one. The delay
// doubles from MinPollEvery up to the usual interval.
func (p *PollState) scheduleRetry(begun time.Time, every time.Duration) {
	p.setNextPoll(begun, min(MinPollEvery<<min(p.failures, maxDoublings), every))
	p.failures++
}

// setNextPoll adds up to a tenth of jitter, obeys minWait, and stays within
// MinPollEvery and MaxPollEvery.
func (p *PollState) setNextPoll(begun time.Time, usual time.Duration) {
	usual += time.Duration(rand.Float64() * pollJitter * float64(usual))
	p.nextPoll = begun.Add(min(max(usual, p.minWait, MinPollEvery), MaxPollEvery))
	p.minWait = 0
}

// freshFor returns how long a response stays fresh: max-age less Age, else
// Expires less Date; 0 where the headers say neither.
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
		now = date // by the clock that set Expires
	}
	return expires.Sub(now)
}

// parseRetryAfter reads Retry-After, a date or a number of seconds; 0 where it is
// neither.
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

// parseSeconds reads a whole number of seconds below 2^31; 0 for any other text.
func parseSeconds(s string) time.Duration {
	n, err := strconv.ParseUint(strings.Trim(s, ` "`), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
