package report

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"kerb/agent/config"
)

// removed stands where a secret stood.
const removed = "«removed»"

// Redactor removes secrets from texts: those that it knows, in several forms, and
// every text that stands in the place of a secret.
type Redactor struct{ known []string }

// minSecret is the length in bytes below which a known secret is not searched for: a
// shorter one is in every text by chance.
const minSecret = 4

// NewRedactor knows the secrets in the files of site, which may be nil, and in the text
// of a site file. A secret file that cannot be read is one that no text of this user
// holds.
func NewRedactor(site *config.Site, siteText []byte) *Redactor {
	r := new(Redactor)
	if site != nil {
		for _, path := range site.SecretFiles() {
			if b, err := os.ReadFile(path); err == nil {
				r.addSecret(b)
			}
		}
	}
	for _, m := range userInfo.FindAllSubmatch(siteText, -1) {
		for _, part := range bytes.SplitN(m[2], []byte(":"), 2) {
			r.addSecret(part)
		}
	}
	for _, m := range secretKey.FindAllSubmatch(siteText, -1) {
		r.addSecret(bytes.Trim(m[2], "\"' \t"))
	}
	return r
}

// addSecret adds a secret, line by line, as it is and in base64, hexadecimal and URL
// encoding, in which programs print secrets.
func (r *Redactor) addSecret(secret []byte) {
	for line := range bytes.Lines(secret) {
		line = bytes.TrimSpace(line)
		if len(line) < minSecret || bytes.HasPrefix(line, []byte("-----")) || bytes.HasPrefix(line, []byte("untrusted comment:")) {
			continue
		}
		inJSON, _ := json.Marshal(string(line)) // a string cannot fail
		r.known = append(r.known, string(line), strings.Trim(string(inJSON), `"`), strings.Trim(strconv.Quote(string(line)), `"`), base64.StdEncoding.EncodeToString(line), base64.URLEncoding.EncodeToString(line),
			hex.EncodeToString(line), url.QueryEscape(string(line)), url.PathEscape(string(line)))
	}
}

// The places at which secrets stand in configuration files, URLs, command lines and
// logs.
var (
	userInfo  = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)([^\s/"'@]+)@`)
	urlQuery  = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'?#]*)\?[^\s"'#→]*`)
	secretKey = regexp.MustCompile(`(?im)^(\s*["']?[a-z_.-]*(?:pass|passwd|password|passphrase|secret|token|psk|apikey|api_key|credential|private_key|code)["']?\s*=\s*)(.+)$`)
	wordPair  = regexp.MustCompile(`(?i)((?:pass|passwd|password|passphrase|secret|token|psk|apikey|api_key|pwd|auth)(?:["']?\s*=\s*|["']\s*:\s*|:)\\?)("[^"]*"|'[^']*'|[^\s,;&"']+)`)
	header    = regexp.MustCompile(`(?i)((?:proxy-)?authorization["']?\s*[:=]\s*["']?)((?:basic|bearer|digest)\s+)?[^"'\r\n]+`)
	pemBlock  = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*(?:PRIVATE KEY|CERTIFICATE)[A-Z ]*-----.*?(?:-----END [A-Z ]*-----|$)`)
	loginCode = regexp.MustCompile(`(?i)(\bcode["']?\s*[:=]?\s*["']?)\d{3}\s?\d{3}\b`)
	wifiWord  = regexp.MustCompile(`(\bword\s+)\S+(\s+\(the Wi-Fi)`)
	qrCode    = regexp.MustCompile(`("qr":\s*)"(?:[^"\\]|\\.)*"`)
	command   = regexp.MustCompile(`(?ims)^(\s*command\s*=\s*)(\[.*?\]|"[^"\n]*"|'[^'\n]*')`)
)

// Redact returns text without secrets. Of a URL, user and query are removed; of the key
// command, the arguments.
func (r *Redactor) Redact(text []byte) []byte {
	text = pemBlock.ReplaceAll(text, []byte(removed))
	text = command.ReplaceAllFunc(text, redactCommand)
	text = userInfo.ReplaceAll(text, []byte("${1}"+removed+"@"))
	text = urlQuery.ReplaceAll(text, []byte("${1}?"+removed))
	text = secretKey.ReplaceAllFunc(text, func(line []byte) []byte {
		m := secretKey.FindSubmatch(line)
		return append(bytes.Clone(m[1]), `"`+removed+`"`...)
	})
	text = header.ReplaceAll(text, []byte("${1}"+removed))
	text = loginCode.ReplaceAll(text, []byte("${1}"+removed))
	text = wifiWord.ReplaceAll(text, []byte("${1}"+removed+"${2}"))
	text = qrCode.ReplaceAll(text, []byte(`${1}"`+removed+`"`))
	text = wordPair.ReplaceAll(text, []byte("${1}"+removed))
	for _, s := range r.known {
		text = bytes.ReplaceAll(text, []byte(s), []byte(removed))
	}
	return text
}

// redactCommand keeps the program of a command and the number of its arguments.
func redactCommand(text []byte) []byte {
	m := command.FindSubmatch(text)
	words := quotedWord.FindAllString(string(m[2]), -1)
	program := removed
	if len(words) > 0 {
		program, _, _ = strings.Cut(strings.Trim(words[0], `"'`), " ")
	}
	return append(bytes.Clone(m[1]), fmt.Sprintf("[%q, %q]", program, removed)...)
}

var quotedWord = regexp.MustCompile(`"[^"]*"|'[^']*'`)
