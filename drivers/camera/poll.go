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
// time of the next one, and the validators (ETag, Last-Modified, SHA-256) and the sums
// of cells by which an unchanged picture is recognised. It holds hashes of a picture,
// never a picture. It belongs to one process, outlives one Snapshot, and is not safe for
// concurrent use. The zero value allows a request at once.
type PollState struct {
	seen      validators
	cells     cellSums // of the last picture that was decoded
	format    format
	w, h      int // of the last picture; 0: none yet
	nextPoll  time.Time
	freshFor  time.Duration // as the caching headers of the last response say
	minWait   time.Duration // as the last response asks for
	failures  int           // in a row
	stretched time.Duration // see TakeStretched
	told      bool
}

// validators recognise a picture: RFC 9110, section 8.8, and the hash of its bytes.
type validators struct {
	etag, lastModified string
	sum                [sha256.Size]byte
}

// TakeStretched returns, once, how long the caching headers of a camera say that a
// picture stays fresh, where that is longer than the polling interval. kerb then
// waits so long, but at most the double of the interval.
func (p *PollState) TakeStretched() (fresh time.Duration, ok bool) {
	if p.told || p.stretched == 0 {
		return 0, false
	}
	p.told = true
	return p.stretched, true
}

// NextPoll returns the earliest time of the next request.
func (p *PollState) NextPoll() time.Time { return p.nextPoll }

// hasValidator reports whether the server can answer 304 Not Modified.
func (p *PollState) hasValidator() bool {
	return p.w > 0 && (p.seen.etag != "" || p.seen.lastModified != "")
}

// forgetPicture clears the validators and the size, so that the next picture is
// new even if it is the same. The schedule stays.
func (p *PollState) forgetPicture() {
	p.seen, p.cells, p.format, p.w, p.h = validators{}, cellSums{}, format{}, 0, 0
}

// conditionalHeader returns the headers of a conditional request, RFC 9110,
// section 13.1: the server sends a picture only if it differs from the last one.
func (p *PollState) conditionalHeader() http.Header {
	h := http.Header{}
	if p.w > 0 && p.seen.etag != "" {
		h.Set("If-None-Match", p.seen.etag)
	}
	if p.w > 0 && p.seen.lastModified != "" {
		h.Set("If-Modified-Since", p.seen.lastModified)
	}
	return h
}

// readMinWait sets minWait from a response: the time in Retry-After (RFC 9110,
// section 10.2.3), and freshFor from a good one: how long it stays fresh.
func (p *PollState) readMinWait(res *http.Response, now time.Time) {
	p.minWait, p.freshFor = parseRetryAfter(res.Header, now), 0
	if res.StatusCode < http.StatusBadRequest {
		p.freshFor = freshFor(res.Header, now)
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
// MinPollEvery and MaxPollEvery. The interval is the engineer's: caching headers,
// which come from a proxy as often as from the camera, at most double it.
func (p *PollState) setNextPoll(begun time.Time, usual time.Duration) {
	if p.freshFor > usual {
		p.stretched = p.freshFor
	}
	fresh := min(p.freshFor, 2*usual)
	usual += time.Duration(rand.Float64() * pollJitter * float64(usual))
	p.nextPoll = begun.Add(min(max(usual, fresh, p.minWait, MinPollEvery), MaxPollEvery))
	p.minWait, p.freshFor = 0, 0
}

// freshFor returns how long a response stays fresh (RFC 9111, section 4.2): max-age
// less Age, else Expires less Date; 0 where the headers say neither, or that it must
// not be used without asking (no-cache, no-store).
func freshFor(h http.Header, now time.Time) (fresh time.Duration) {
	found := false
	for _, word := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if word == "no-cache" || word == "no-store" {
			return 0
		}
		if age, ok := strings.CutPrefix(word, "max-age="); ok && !found {
			fresh, found = parseSeconds(age)-parseSeconds(h.Get("Age")), true
		}
	}
	if found {
		return fresh
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
