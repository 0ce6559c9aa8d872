package transparency

import (
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"aead.dev/minisign"

	"kerb/agent/mistake"
)

// NotProvided stands in the record for a declared value without an answer.
const NotProvided = "not provided"

// maxDeclared is the largest declared.toml in bytes: all answers at their longest take
// about 100 KB.
const maxDeclared = 256 << 10

// Declared holds the answers of a checked declared.toml. A nil Declared has none.
type Declared struct {
	answers map[string]any // string, bool or []string, by key; only the given ones
	sheet   *mistake.Sheet
	signers []string
}

// LoadDeclared reads and checks the file at path and its minisign signature
// (path.minisig), if there is one. All mistakes come back together as a mistake.List. A
// signature must be by one of keys and fit the bytes of the file; needed says that there
// must be one.
func LoadDeclared(path string, keys []minisign.PublicKey, needed bool) (*Declared, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d, err := ParseDeclared(path, data)
	if err != nil {
		return nil, err
	}
	signature, err := os.ReadFile(path + ".minisig")
	switch {
	case errors.Is(err, fs.ErrNotExist) && needed:
		return nil, fmt.Errorf("%s: refused: it is not signed, and site.toml wants signed files: minisign -S -m %s", path, path)
	case errors.Is(err, fs.ErrNotExist):
		return d, nil
	case err != nil:
		return nil, fmt.Errorf("read the signature: %w", err)
	}
	if d.signers, err = verifySigner(keys, data, signature); err != nil {
		return nil, fmt.Errorf("%s: refused: %w", path, err)
	}
	return d, nil
}

// verifySigner returns the ID of the key that signed data.
func verifySigner(keys []minisign.PublicKey, data, signature []byte) ([]string, error) {
	var s minisign.Signature
	if err := s.UnmarshalText(signature); err != nil {
		return nil, errors.New("its signature is not one of minisign's")
	}
	for _, k := range keys {
		if k.ID() == s.KeyID && minisign.Verify(k, data, signature) {
			return []string{fmt.Sprintf("%016X", s.KeyID)}, nil
		}
	}
	return nil, fmt.Errorf("the signature by key %016X does not fit, or site.toml does not trust that key", s.KeyID)
}

// ParseDeclared checks the text of a file. All mistakes come back together as a
// mistake.List.
func ParseDeclared(name string, data []byte) (*Declared, error) {
	if len(data) > maxDeclared {
		return nil, fmt.Errorf("%s: %d bytes: it has at most %d", name, len(data), maxDeclared)
	}
	var f declaredFile
	sheet := mistake.DecodeTOML(name, data, &f)
	if sheet.Malformed() {
		return nil, sheet.Err()
	}
	if f.Schema != SchemaDeclared {
		sheet.Reject("schema", fmt.Sprintf("must be %q", SchemaDeclared), "it says which form of file this is")
	}
	d := &Declared{answers: map[string]any{}, sheet: sheet}
	for _, q := range Questions() {
		if sheet.HasKey(q.Key) {
			d.readAnswer(q, fieldByKey(reflect.ValueOf(f), q.Key))
		}
	}
	if err := sheet.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// fieldByKey returns the field of a struct with that dotted toml key.
func fieldByKey(v reflect.Value, key string) reflect.Value {
	for part := range strings.SplitSeq(key, ".") {
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("toml") == part {
				v = v.Field(i)
				break
			}
		}
	}
	return v
}

// readAnswer checks the answer to q and keeps it.
func (d *Declared) readAnswer(q Question, v reflect.Value) {
	switch x := v.Interface().(type) {
	case *bool:
		if x != nil {
			d.answers[q.Key] = *x
		}
	case []string:
		if want := q.checkList(x); want != "" {
			d.sheet.Reject(q.Key, want, "")
			return
		}
		d.answers[q.Key] = x
	case string:
		x = strings.TrimSpace(x)
		if want, hint := q.checkText(x); want != "" {
			d.sheet.Reject(q.Key, want, hint)
			return
		}
		d.answers[q.Key] = x
	}
}

// checkList returns what a list must be, or "".
func (q Question) checkList(list []string) string {
	if len(list) == 0 || len(list) > q.max {
		return fmt.Sprintf("must have 1–%d members", q.max)
	}
	for i, x := range list {
		switch {
		case slices.Contains(list[:i], x):
			return fmt.Sprintf("names %q twice", x)
		case len(q.choices) > 0 && !slices.Contains(q.choices, x):
			return fmt.Sprintf("member %d must be one of %s", i+1, strings.Join(q.choices, ", "))
		case checkCharacters(x, false, maxLine) != "":
			return fmt.Sprintf("member %d %s", i+1, checkCharacters(x, false, maxLine))
		}
	}
	return ""
}

// checkText returns what a text must be and a hint, or "".
func (q Question) checkText(x string) (want, hint string) {
	if want := checkCharacters(x, q.form == proseForm, q.max); want != "" {
		return want, "leave the key out if there is no answer"
	}
	if strings.EqualFold(x, NotProvided) {
		return "must be an answer", "leave the key out: the record then says that it is not provided"
	}
	switch q.form {
	case choiceForm:
		if !slices.Contains(q.choices, x) {
			return "must be one of " + strings.Join(q.choices, ", "), q.Ask
		}
	case monthForm:
		if _, err := time.Parse("2006-01", x); err != nil {
			return `must be a month, such as "2026-11"`, ""
		}
	case dayForm:
		if _, err := time.Parse(time.DateOnly, x); err != nil {
			return `must be a day, such as "2026-11-30"`, ""
		}
	case urlForm:
		u, err := url.Parse(strings.ReplaceAll(x, "{code}", "CODE"))
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			return "must be an address that begins with https://", ""
		}
	case mailForm:
		if a, err := mail.ParseAddress(x); err != nil || a.Address != x {
			return "must be an e-mail address", ""
		}
	}
	return "", ""
}

// checkCharacters returns what a text of at most n characters must be, or "". It refuses
// control characters, and format characters such as U+202E, with which a text reads
// otherwise than it is written.
func checkCharacters(x string, lines bool, n int) string {
	switch {
	case strings.TrimSpace(x) == "":
		return "must not be empty"
	case !utf8.ValidString(x):
		return "must be UTF-8"
	case utf8.RuneCountInString(x) > n:
		return fmt.Sprintf("must have at most %d characters", n)
	case strings.ContainsFunc(x, func(r rune) bool {
		return (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) && (!lines || r != '\n')
	}):
		if lines {
			return "must have no control or format characters"
		}
		return "must be one line without control or format characters"
	}
	return ""
}
