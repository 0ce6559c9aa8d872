package canary

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
)

// scales are the widths of a stripe in which the pattern is looked for: full
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

// sure is how many stripes in a row must be right. Chance gets that once in
// 2^60 places.
const sure = 60

// maxUnpacked bounds what one gzip stream is unpacked to.
const maxUnpacked = 64 << 20

// Find names the forms in which something of the mark is in data.
func (m *Mark) Find(data []byte) (forms []string) {
	forms = m.find(data)
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
		inner, _ := io.ReadAll(io.LimitReader(z, maxUnpacked)) // as far as it is whole
		for _, f := range m.find(inner) {
			forms = append(forms, f+" in gzip")
		}
	}
}

func (m *Mark) find(data []byte) (forms []string) {
	if bytes.Contains(data, m.bytes[:]) {
		forms = append(forms, "compressed bytes")
	}
	if bytes.Contains(bytes.ToLower(data), []byte(hex.EncodeToString(m.bytes[:]))) {
		forms = append(forms, "compressed bytes in hex")
	}
	if m.inBase64(data) {
		forms = append(forms, "compressed bytes in base64")
	}
	for _, s := range scales {
		if m.inLight(data, s.width) {
			forms = append(forms, s.name)
		}
	}
	return forms
}

// inBase64 looks for the mark at each of the three places where it may begin
// within a group of base64; what depends on its neighbours is left out.
func (m *Mark) inBase64(data []byte) bool {
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), m.bytes[:21+shift%3]...))
		if bytes.Contains(data, []byte(text[4:28])) {
			return true
		}
	}
	return false
}

// inLight looks for the pattern in rows of pixels with stripes of that width.
func (m *Mark) inLight(data []byte, width float64) bool {
	var at [sure]int
	for i := range at {
		at[i] = int((float64(i) + 0.5) * width)
	}
	for from := 0; from+at[sure-1] < len(data); from++ {
		i := 0
		for i < sure && (data[from+at[i]] > (dark+bright)/2) == m.light[i] {
			i++
		}
		if i == sure {
			return true
		}
	}
	return false
}
