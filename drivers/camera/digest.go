package camera

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// errNoUser is returned when the camera challenges and no user is configured.
var errNoUser = errors.New("camera asks for a user and a password")

// answerChallenge returns the Authorization header for the challenges of a 401
// response: Digest (RFC 7616) where it is offered, else Basic (RFC 7617).
func (c *httpClient) answerChallenge(res *http.Response, u *url.URL) (string, error) {
	if c.user == "" {
		return "", errNoUser
	}
	basic := false
	for _, challenge := range res.Header.Values("WWW-Authenticate") {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(challenge), " ")
		switch strings.ToLower(scheme) {
		case "digest":
			if a, ok := digestHeader(parseChallenge(rest), c.user, c.password, u.RequestURI(), rand.Text()); ok {
				return a, nil
			}
		case "basic":
			basic = true
		}
	}
	if !basic {
		return "", errors.New("camera asks for a kind of authentication that is not known")
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.password)), nil
}

// parseChallenge parses the parameters of a challenge: key=value and key="value",
// separated by commas.
func parseChallenge(s string) map[string]string {
	m := map[string]string{}
	for s != "" {
		var key, val string
		key, s, _ = strings.Cut(s, "=")
		if strings.HasPrefix(s, `"`) {
			val, s, _ = strings.Cut(s[1:], `"`)
			_, s, _ = strings.Cut(s, ",")
		} else {
			val, s, _ = strings.Cut(s, ",")
		}
		m[strings.ToLower(strings.Trim(key, " \t,"))] = strings.TrimSpace(val)
	}
	return m
}

// digestHeader computes the Digest response of RFC 7616, section 3.4, for one GET.
// ok is false for an algorithm other than MD5 and SHA-256, and for a qop without
// auth.
func digestHeader(p map[string]string, user, password, uri, cnonce string) (header string, ok bool) {
	algorithm := strings.ToUpper(p["algorithm"])
	base, session := strings.CutSuffix(algorithm, "-SESS")
	var fresh func() hash.Hash
	switch base {
	case "", "MD5":
		fresh = md5.New
	case "SHA-256":
		fresh = sha256.New
	default:
		return "", false
	}
	h := func(parts ...string) string {
		d := fresh()
		d.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(d.Sum(nil))
	}
	ha1 := h(user, p["realm"], password)
	if session {
		ha1 = h(ha1, p["nonce"], cnonce)
	}
	ha2 := h(http.MethodGet, uri)
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(user)
	out := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s"`, quoted, p["realm"], p["nonce"], uri)
	if algorithm != "" {
		out += ", algorithm=" + algorithm
	}
	if p["opaque"] != "" {
		out += fmt.Sprintf(`, opaque="%s"`, p["opaque"])
	}
	if p["qop"] == "" { // as RFC 2069 had it
		return out + fmt.Sprintf(`, response="%s"`, h(ha1, p["nonce"], ha2)), true
	}
	offered := strings.FieldsFunc(p["qop"], func(r rune) bool { return r == ',' || r == ' ' })
	if !slices.Contains(offered, "auth") {
		return "", false
	}
	const count = "00000001"
	return out + fmt.Sprintf(`, qop=auth, nc=%s, cnonce="%s", response="%s"`,
		count, cnonce, h(ha1, p["nonce"], count, cnonce, "auth", ha2)), true
}
