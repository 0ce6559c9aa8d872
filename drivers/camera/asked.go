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
	LeastEvery = 10 * time.Second
	MostEvery  = time.Hour
)

// Asked is what is remembered of an address between two askings: when it may be
// asked again, and by what the same picture is known. It holds no picture, but
// the hash of one, and belongs to one process. Its zero value knows nothing.
type Asked struct {
	etag, modified string
	sum            [sha256.Size]byte
	format         format
	w, h           int
	due            time.Time
	told           time.Duration // how long the camera wants to be left alone
	failed         int           // in a row
}

// Due is the earliest time of the next asking.
func (a *Asked) Due() time.Time { return a.due }

// known reports whether the camera could say that nothing has changed.
func (a *Asked) known() bool { return a.w > 0 && (a.etag != "" || a.modified != "") }

// forget makes the same picture a new one.
func (a *Asked) forget() { *a = Asked{due: a.due, told: a.told, failed: a.failed} }

// conditions ask for a picture only if it is another one: RFC 9110, section 13.1.
func (a *Asked) conditions() http.Header {
	h := http.Header{}
	if a.w > 0 && a.etag != "" {
		h.Set("If-None-Match", a.etag)
	}
	if a.w > 0 && a.modified != "" {
		h.Set("If-Modified-Since", a.modified)
	}
	return h
}

// again reports whether what came is what came before, byte for byte, and
// remembers what came.
func (a *Asked) again(res *http.Response, sum [sha256.Size]byte) bool {
	same := a.w > 0 && sum == a.sum
	a.sum, a.etag, a.modified = sum, res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	return same
}

// hear takes what the camera says of when to ask again: not before what it gave
// has aged, or before the time that it names (RFC 9111, section 4.2; RFC 9110,
// section 10.2.3).
func (a *Asked) hear(res *http.Response, now time.Time) {
	a.told = retryAfter(res.Header, now)
	if res.StatusCode < http.StatusBadRequest {
		a.told = max(a.told, freshness(res.Header, now))
	}
}

// answered sets the time of the next asking after one that was answered.
func (a *Asked) answered(begun time.Time, every time.Duration) {
	a.failed = 0
	a.wait(begun, every)
}

// fail does so after one that brought nothing: at first it is repeated sooner
// than usual.
func (a *Asked) fail(begun time.Time, every time.Duration) {
	a.wait(begun, min(LeastEvery<<min(a.failed, 10), every))
	a.failed++
}

// wait adds up to a tenth, so that devices started together do not ask together,
// and stays within MostEvery.
func (a *Asked) wait(begun time.Time, usual time.Duration) {
	usual += time.Duration(rand.Float64() * 0.1 * float64(usual))
	a.due = begun.Add(min(max(usual, a.told, LeastEvery), MostEvery))
	a.told = 0
}

// freshness is how long what came is said to stay as it is.
func freshness(h http.Header, now time.Time) time.Duration {
	for _, word := range strings.Split(h.Get("Cache-Control"), ",") {
		if age, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(word)), "max-age="); ok {
			return seconds(age) - seconds(h.Get("Age"))
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

func retryAfter(h http.Header, now time.Time) time.Duration {
	at, err := http.ParseTime(h.Get("Retry-After"))
	if err != nil {
		return seconds(h.Get("Retry-After"))
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return at.Sub(now)
}

// seconds is a number of them, or none.
func seconds(s string) time.Duration {
	n, err := strconv.ParseUint(strings.Trim(s, ` "`), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
