// Package auth answers the challenges of network cameras, for HTTP and for RTSP:
// Digest (RFC 7616, with RFC 2069 below it) and Basic (RFC 7617).
//
// It reads challenges as cameras send them: several in one header line, escapes and
// lost quotes in values, keys in any case, blanks anywhere. It refuses schemes and
// algorithms other than those of RFC 7616. It holds the password and never returns
// it but in a Basic answer.
//
// It is written by hand: github.com/icholy/digest v1.2.0 knows no session
// algorithms (MD5-sess), and does not read a list of challenges in one line, an
// unquoted value in base64, a blank in the list of qop, or a key that is not in
// lower case. Its answers are compared with these in test/oracle.
package auth

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// Errors of Answerer.Challenge.
var (
	// ErrNoUser is returned for a challenge when no user is configured.
	ErrNoUser = errors.New("camera asks for a user and a password")
	// ErrRefused is returned for the challenge of a request that was answered
	// already. Retry late: cameras lock accounts after a few attempts.
	ErrRefused = errors.New("camera refuses the user or the password")
	// ErrBasic is returned for a camera that takes the password in the clear alone,
	// where Answerer.RefuseBasic is set.
	ErrBasic = errors.New("camera wants the password in the clear (Basic without TLS), which every device on the way can read: switch it to Digest or to TLS, or allow it with basic_auth = true in site.toml")
	// ErrUnknown is returned where no scheme of a challenge is supported.
	ErrUnknown = errors.New("camera asks for a kind of authentication that is not known")
)

// challenge is one challenge: its scheme, in lower case, and its parameters by
// their keys in lower case.
type challenge struct {
	scheme string
	param  map[string]string
}

// Answerer answers the challenges of one camera for one user. It is not safe for
// concurrent use.
type Answerer struct {
	User, Password string
	RefuseBasic    bool // Basic is not answered, because the connection has no TLS

	chosen   challenge // scheme "": none yet
	count    uint32    // uses of the nonce
	accepted bool      // the camera has accepted an answer
	cnonce   func() string
}

// Challenge takes the WWW-Authenticate values of a 401 response. used tells that
// the refused request bore an answer. It returns nil where the request should be
// sent again with a new answer: the first time, when the camera says that the nonce
// is stale, and when it names another nonce after it has accepted an answer before.
func (a *Answerer) Challenge(values []string, used bool) error {
	if a.User == "" {
		return ErrNoUser
	}
	next, ok := choose(values)
	switch {
	case !ok && used: // some servers refuse an answer without a new challenge
		return ErrRefused
	case !ok:
		return ErrUnknown
	case next.scheme == "basic" && a.RefuseBasic:
		return ErrBasic
	}
	stale := strings.EqualFold(next.param["stale"], "true") || a.accepted
	if used && (!stale || next.param["nonce"] == a.chosen.param["nonce"]) {
		return ErrRefused
	}
	a.chosen, a.count, a.accepted = next, 0, false
	return nil
}

// Accepted notes that the camera has accepted an answer.
func (a *Answerer) Accepted() { a.accepted = a.chosen.scheme != "" }

// Header returns the value of the Authorization header for a request; "" before
// the first challenge. uri is as in the request line.
func (a *Answerer) Header(method, uri string) string {
	switch a.chosen.scheme {
	case "basic":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(a.User+":"+a.Password))
	case "digest":
		a.count++
		cnonce := rand.Text
		if a.cnonce != nil {
			cnonce = a.cnonce
		}
		return a.digest(method, uri, cnonce())
	}
	return ""
}

// choose returns the first Digest challenge that can be answered, else a Basic one.
func choose(values []string) (c challenge, ok bool) {
	for _, c := range parseChallenges(values) {
		if c.scheme == "digest" && newHash(c.param["algorithm"]) != nil && qop(c.param["qop"]) != "?" {
			return c, true
		}
	}
	for _, c := range parseChallenges(values) {
		if c.scheme == "basic" {
			return c, true
		}
	}
	return c, false
}

// parseChallenges parses the values of WWW-Authenticate: RFC 9110 section 11.6.1,
// and what cameras make of it.
func parseChallenges(values []string) (all []challenge) {
	for _, s := range values {
		for s = trim(s); s != ""; s = trim(s) {
			var word string
			word, s = cutToken(s)
			if !strings.HasPrefix(s, "=") { // not a key: the name of a scheme
				if word == "" {
					s = s[1:] // a byte that has no place here
					continue
				}
				all = append(all, challenge{strings.ToLower(word), map[string]string{}})
				continue
			}
			var value string
			value, s = cutValue(s[1:])
			if len(all) > 0 {
				all[len(all)-1].param[strings.ToLower(word)] = value
			}
		}
	}
	return all
}

// trim removes blanks and commas from the start.
func trim(s string) string { return strings.TrimLeft(s, " \t,") }

// cutToken cuts a word, and the blanks after it.
func cutToken(s string) (word, rest string) {
	n := strings.IndexAny(s, " \t,=\"")
	if n < 0 {
		n = len(s)
	}
	return s[:n], strings.TrimLeft(s[n:], " \t")
}

// cutValue cuts a value: a quoted string with its escapes, or all up to a comma.
func cutValue(s string) (value, rest string) {
	if s = strings.TrimLeft(s, " \t"); !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		return strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// newHash returns the hash of an algorithm of RFC 7616, with or without -sess; nil
// for another one.
func newHash(algorithm string) func() hash.Hash {
	switch strings.TrimSuffix(strings.ToUpper(algorithm), "-SESS") {
	case "", "MD5":
		return md5.New
	case "SHA-256":
		return sha256.New
	case "SHA-512-256":
		return sha512.New512_256
	}
	return nil
}

// qop chooses a quality of protection: auth, else auth-int; "" where none is
// offered, "?" where only others are.
func qop(offered string) string {
	words := strings.FieldsFunc(strings.ToLower(offered), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	switch {
	case len(words) == 0:
		return ""
	case slices.Contains(words, "auth"):
		return "auth"
	case slices.Contains(words, "auth-int"):
		return "auth-int"
	}
	return "?"
}

// digest computes the response of RFC 7616, section 3.4, for a request without a
// body.
func (a *Answerer) digest(method, uri, cnonce string) string {
	p := a.chosen.param
	algorithm := p["algorithm"]
	fresh := newHash(algorithm)
	h := func(parts ...string) string {
		d := fresh()
		d.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(d.Sum(nil))
	}
	user := a.User
	ha1 := h(a.User, p["realm"], a.Password)
	if strings.HasSuffix(strings.ToUpper(algorithm), "-SESS") {
		ha1 = h(ha1, p["nonce"], cnonce)
	}
	if strings.EqualFold(p["userhash"], "true") {
		user = h(a.User, p["realm"])
	}
	out := fmt.Sprintf(`Digest username=%s, realm=%s, nonce=%s, uri=%s`, quote(user), quote(p["realm"]), quote(p["nonce"]), quote(uri))
	if algorithm != "" {
		out += ", algorithm=" + algorithm
	}
	if opaque, sent := p["opaque"]; sent {
		out += ", opaque=" + quote(opaque)
	}
	if strings.EqualFold(p["userhash"], "true") {
		out += ", userhash=true"
	}
	ha2, protection := h(method, uri), qop(p["qop"])
	switch protection {
	case "": // as RFC 2069 has it
		return out + fmt.Sprintf(`, response="%s"`, h(ha1, p["nonce"], ha2))
	case "auth-int":
		ha2 = h(method, uri, h())
	}
	count := fmt.Sprintf("%08x", a.count)
	return out + fmt.Sprintf(`, qop=%s, nc=%s, cnonce="%s", response="%s"`,
		protection, count, cnonce, h(ha1, p["nonce"], count, cnonce, protection, ha2))
}

// quote returns a quoted string of RFC 9110, section 5.6.4.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
