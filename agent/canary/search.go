package canary

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strconv"
	"unicode/utf8"
)

// scales are the widths of a stripe at which the pattern is searched: full
// size, halves, and the thirds to which 640 pixels are reduced for counting.
var scales = [...]struct {
	name  string
	width float64
}{
	{"pixels", stripe},
	{"pixels at 1/2", stripe / 2.0},
	{"pixels at 1/3", stripe / 3.0},
	{"pixels at 1/4", stripe / 4.0},
	{"pixels at 1/6", stripe / 6.0},
	{"pixels at 1/8", stripe / 8.0},
}

// minStripes is how many stripes in a row must match. A random match has a
// probability of 2^-60 at each place.
const minStripes = 60

// maxUnpacked bounds the bytes unpacked from one gzip stream.
const maxUnpacked = 64 << 20

// FindForms returns the forms in which the mark is in data, such as "pixels" or
// "compressed bytes in hex"; none when it was not found.
func (m *Mark) FindForms(data []byte) (forms []string) {
	forms = m.findRaw(data)
	for at := 0; ; at++ {
		i := bytes.Index(data[at:], []byte{0x1f, 0x8b, 0x08})
		if i < 0 {
			return forms
		}
		at += i
		z, err := gzip.NewReader(bytes.NewReader(data[at:]))
		if err != nil {
			continue
		}
		inner, _ := io.ReadAll(io.LimitReader(z, maxUnpacked)) // as far as it can be unpacked
		for _, f := range m.findRaw(inner) {
			forms = append(forms, f+" in gzip")
		}
	}
}

// findRaw searches data without unpacking it.
func (m *Mark) findRaw(data []byte) (forms []string) {
	if bytes.Contains(data, m.bytes[:]) {
		forms = append(forms, "compressed bytes")
	}
	if bytes.Contains(bytes.ToLower(data), []byte(hex.EncodeToString(m.bytes[:]))) {
		forms = append(forms, "compressed bytes in hex")
	}
	if m.hasQuoted(data) {
		forms = append(forms, "compressed bytes in quotes")
	}
	if m.hasBase64(data) {
		forms = append(forms, "compressed bytes in base64")
	}
	for _, s := range scales {
		if m.hasPattern(data, s.width) {
			forms = append(forms, s.name)
		}
	}
	return forms
}

// maxQuotes is how often a text may have been quoted: by the library that read the
// bytes, by log/slog, and once more on the way.
const maxQuotes = 3

// hasQuoted searches the mark in text in which bytes are escaped as in a string of Go
// or C, such as \x9a.
func (m *Mark) hasQuoted(data []byte) bool {
	for range maxQuotes {
		if !bytes.Contains(data, []byte(`\x`)) {
			return false
		}
		if data = unescape(data); bytes.Contains(data, m.bytes[:]) {
			return true
		}
	}
	return false
}

// escapes are the escapes of one letter, as strconv.Quote makes them.
var escapes = map[byte]byte{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\', '"': '"', '\'': '\''}

// unescape replaces escapes by their bytes. An escape that is not known stays.
func unescape(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		rest := data[i:]
		if rest[0] != '\\' || len(rest) < 2 {
			out = append(out, rest[0])
			continue
		}
		if c, ok := escapes[rest[1]]; ok {
			out = append(out, c)
			i++
			continue
		}
		size := map[byte]int{'x': 2, 'u': 4, 'U': 8}[rest[1]]
		if v, err := strconv.ParseUint(string(rest[2:min(2+size, len(rest))]), 16, 32); size > 0 && err == nil {
			if size == 2 {
				out = append(out, byte(v))
			} else {
				out = utf8.AppendRune(out, rune(v))
			}
			i += 1 + size
			continue
		}
		out = append(out, rest[0])
	}
	return out
}

// hasBase64 searches the mark in base64 at each of the three places where it
// may begin within a group of four characters. Characters that depend on
// neighbouring bytes are left out.
func (m *Mark) hasBase64(data []byte) bool {
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), m.bytes[:21+shift%3]...))
		if bytes.Contains(data, []byte(text[4:28])) {
			return true
		}
	}
	return false
}

// hasPattern searches the pattern in rows of pixels with stripes of that width.
func (m *Mark) hasPattern(data []byte, width float64) bool {
	var at [minStripes]int
	for i := range at {
		at[i] = int((float64(i) + 0.5) * width)
	}
	for from := 0; from+at[minStripes-1] < len(data); from++ {
		i := 0
		for i < minStripes && (data[from+at[i]] > (dark+bright)/2) == m.light[i] {
			i++
		}
		if i == minStripes {
			return true
		}
	}
	return false
}
