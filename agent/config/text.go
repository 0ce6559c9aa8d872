package config

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// checkVerbatim checks a text that is used as it stands, such as an address, a file or
// a user, for what copying from a letter or a web page adds: blanks at the ends,
// typographic quotes, and characters that cannot be seen.
func (c checker) checkVerbatim(key, text string) {
	switch {
	case text == "":
	case strings.TrimSpace(text) != text:
		c.Reject(key, "must not begin or end with a blank", "write it from quote to quote")
	case strings.ContainsAny(text, "“”„‟‘’‚‛«»"):
		c.Reject(key, "must not hold typographic quotes", `straight ones belong around it: "…"`)
	case strings.ContainsFunc(text, isUnseen):
		c.Reject(key, "must not hold a character that cannot be seen", "type it anew instead of copying it")
	}
}

// isUnseen reports whether a character has no picture: controls, marks of direction
// and of width zero, blanks other than the ordinary one.
func isUnseen(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.IsSpace(r) && r != ' ' || r == utf8.RuneError
}

// hasBareIPv6 reports whether the host of an address is an IPv6 address without
// brackets: then it cannot be told where the port begins. A user and password may
// stand before it.
func hasBareIPv6(address string) bool {
	_, host, _ := strings.Cut(address, "://")
	if end := strings.IndexAny(host, "/?#"); end >= 0 {
		host = host[:end]
	}
	host = host[strings.LastIndex(host, "@")+1:]
	return strings.Count(host, ":") > 1 && !strings.HasPrefix(host, "[")
}

// bracketHint is the hint for such an address.
const bracketHint = "for example [::1]:1883 in the place of ::1:1883"

// umlauts are the letters that their languages write with two others, and those that
// norm.NFD does not take apart.
var umlauts = strings.NewReplacer(
	"ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "æ", "ae", "œ", "oe", "ø", "oe", "å", "aa",
	"đ", "d", "ð", "d", "þ", "th", "ł", "l", "ı", "i", "&", "-and-",
)

// transliterate replaces letters outside ASCII by those inside: ü by ue, é by e.
// Letters of other scripts stay.
func transliterate(s string) string {
	s = umlauts.Replace(strings.ToLower(norm.NFC.String(s)))
	plain, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn))), s)
	if err != nil {
		return s
	}
	return plain
}

// pemKind is the kind of content of a file in PEM.
type pemKind string

// The kinds of files that an engineer may swap.
const (
	certificatePEM pemKind = "a certificate"
	keyPEM         pemKind = "a private key"
	noPEM          pemKind = ""
)

var pemKey = regexp.MustCompile(`-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----`)

// pemKindOf returns the kind of the first block; the file may begin with text.
func pemKindOf(data []byte) pemKind {
	key, cert := pemKey.FindIndex(data), bytes.Index(data, []byte("-----BEGIN CERTIFICATE-----"))
	switch {
	case key != nil && (cert < 0 || key[0] < cert):
		return keyPEM
	case cert >= 0:
		return certificatePEM
	}
	return noPEM
}

// checkPEM checks that a file holds the kind of content that its key wants, if it can
// be read: the three files of TLS are often swapped.
func (c checker) checkPEM(key, path string, want pemKind) {
	data, ok := readSecret(c.dir, path)
	if !ok {
		return
	}
	if got := pemKindOf(data); got != want && got != noPEM {
		c.Reject(key, "must hold "+string(want), "the file holds "+string(got)+": are two files swapped?")
	}
}

// checkPassword checks what a password file holds, if it can be read: one line, in
// UTF-8, without a byte order mark. No byte of it is quoted. A file of zero bytes passes: kerb
// wipe leaves it, and a wiped device can be asked and wiped again (see RejectEmptyPasswords).
func (c checker) checkPassword(key, path string) {
	data, ok := readSecret(c.dir, path)
	if !ok {
		return
	}
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")), bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		c.Reject(key, "must be a file without a byte order mark", "save it as UTF-8 without one (in Notepad: Save as, Encoding: UTF-8)")
	case pemKindOf(data) != noPEM:
		c.Reject(key, "must hold a password", "the file holds "+string(pemKindOf(data))+": are two files swapped?")
	case text == "" && len(data) > 0:
		c.Reject(key, "must hold a password", "the file is empty")
	case strings.ContainsAny(text, "\r\n\x00"):
		c.Reject(key, "must hold one line", "the password alone, without the user")
	}
}

// readSecret reads a file of the site, for a check of its form; ok is false where
// there is none or it cannot be read, which is told elsewhere.
func readSecret(dir, path string) (data []byte, ok bool) {
	if path == "" {
		return nil, false
	}
	data, err := os.ReadFile(resolveSecret(dir, path))
	return data, err == nil
}
