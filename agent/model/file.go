// Package network reads and writes .kerb files: a neural network as it was
// published, with where it came from and with the ranges that let it be run in
// eight bits. A .kerb file is one that was changed by nobody, or it is none.
//
// Its layout, lengths as 32 bits, big-endian:
//
//	"kerb-model/1\n"
//	length of the card, length of the network
//	the card, JSON
//	the network, ONNX
//	SHA-256 of all the above, 32 bytes
//
// A file's name on a device is the SHA-256 of the whole of it, as sha256sum
// prints it: see Sum.
package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"kerb/counting/neural"
)

// A Card tells where a network came from and what it was shown.
type Card struct {
	Name     string            `json:"name"`               // of the file that was imported
	Source   string            `json:"source"`             // Sum of that file
	Licence  string            `json:"licence,omitempty"`  // as its importer or its author says
	Producer string            `json:"producer,omitempty"` // the program that wrote it
	Meta     map[string]string `json:"meta,omitempty"`     // its author's own words
	Input    [2]int            `json:"input"`              // its width and height, pixels
	Imported time.Time         `json:"imported"`           // in UTC
	By       string            `json:"imported_by"`
	Stills   int               `json:"stills"` // pictures that the ranges were seen on

	// Of a network that was trained here: the commit that trained it, and the
	// Sum of the list of pictures.
	Commit   string `json:"training_commit,omitempty"`
	Manifest string `json:"training_manifest,omitempty"`
}

// File is what a .kerb file holds.
type File struct {
	Card
	Ranges neural.Ranges
	ONNX   []byte
}

// The bounds of what a file may hold: ten times a street's detector.
const (
	MaxONNX = 64 << 20
	maxCard = 8 << 20
	maxText = 1 << 10
	MaxFile = len(magic) + 8 + maxCard + MaxONNX + sha256.Size
)

const (
	brand = "kerb-model/"
	magic = brand + "1\n"
)

// What is wrong with a file that is no .kerb file, or none any more.
var (
	errForeign = errors.New("is not a .kerb file")
	errVersion = errors.New("is a .kerb file of another version than 1")
	errLength  = errors.New("is cut off or has something added: not as long as it says")
	errSeal    = errors.New("was changed: its SHA-256 does not fit its content")
	errText    = errors.New("has a card whose words are too long or not for print")
	errSource  = errors.New("holds another network than its card names")
)

// Sum is the name of a file by its content: "sha256:" and 64 digits.
func Sum(file []byte) string {
	sum := sha256.Sum256(file)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// IsSealed says whether a file claims to be a .kerb file of any version.
func IsSealed(file []byte) bool { return bytes.HasPrefix(file, []byte(brand)) }

// header is the card as it is written: ranges lie in columns, which makes them
// a third as long.
type header struct {
	Card
	Ranges map[string]columns `json:"ranges"`
}

// columns are the ranges of an operator, one number per channel.
type columns struct {
	Lo   []float32 `json:"lo"`
	Hi   []float32 `json:"hi"`
	Mean []float64 `json:"mean"`
	N    []int64   `json:"n"` // or one for all
}

// Encode writes a file. It refuses what Decode would.
func Encode(f File) ([]byte, error) {
	f.Imported = f.Imported.UTC().Truncate(time.Second)
	h := header{Card: f.Card, Ranges: map[string]columns{}}
	for name, rs := range f.Ranges {
		h.Ranges[name] = packRanges(rs)
	}
	card, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("write the card of %s: %w", f.Name, err)
	}
	b := append([]byte(nil), magic...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(card)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.ONNX)))
	b = append(append(b, card...), f.ONNX...)
	seal := sha256.Sum256(b)
	b = append(b, seal[:]...)
	if _, err := Decode(b); err != nil {
		return nil, fmt.Errorf("write the .kerb file of %s: %w", f.Name, err)
	}
	return b, nil
}

// Decode reads a file whole, or says what is wrong with it, in words that go
// on from its name. The
// network is a part of file, not a copy; whether it can be run, neural.Load
// says.
func Decode(file []byte) (*File, error) {
	rest, ok := bytes.CutPrefix(file, []byte(magic))
	switch {
	case !ok && IsSealed(file):
		return nil, errVersion
	case !ok:
		return nil, errForeign
	case len(rest) < 8+sha256.Size:
		return nil, errLength
	}
	card, onnx := uint64(binary.BigEndian.Uint32(rest)), uint64(binary.BigEndian.Uint32(rest[4:]))
	rest = rest[8 : len(rest)-sha256.Size]
	if card > maxCard || onnx > MaxONNX || uint64(len(rest)) != card+onnx {
		return nil, errLength
	}
	body, seal := file[:len(file)-sha256.Size], file[len(file)-sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], seal) {
		return nil, errSeal
	}
	var h header
	d := json.NewDecoder(bytes.NewReader(rest[:card]))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return nil, fmt.Errorf("has a card that cannot be read: %w", err)
	}
	for _, text := range []string{h.Name, h.Licence, h.By, h.Commit, h.Manifest} {
		if len(text) > maxText || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return nil, errText
		}
	}
	if len(h.Meta) == 0 {
		h.Meta = nil
	}
	f := &File{Card: h.Card, Ranges: neural.Ranges{}, ONNX: rest[card:]}
	if f.Source != Sum(f.ONNX) {
		return nil, errSource
	}
	for name, c := range h.Ranges {
		rs, err := c.unpackRanges()
		if err != nil {
			return nil, fmt.Errorf("has wrong ranges of %q: %w", name, err)
		}
		f.Ranges[name] = rs
	}
	return f, nil
}

func packRanges(rs []neural.Range) (c columns) {
	same := true
	for _, r := range rs {
		c.Lo, c.Hi, c.Mean, c.N = append(c.Lo, r.Lo), append(c.Hi, r.Hi), append(c.Mean, r.Mean), append(c.N, r.N)
		same = same && r.N == rs[0].N
	}
	if same && len(rs) > 0 {
		c.N = c.N[:1]
	}
	return c
}

var errRange = errors.New("must be as many of each, from at most 0 to at least 0, the mean between")

func (c columns) unpackRanges() ([]neural.Range, error) {
	n := len(c.Lo)
	if n == 0 || len(c.Hi) != n || len(c.Mean) != n || len(c.N) != n && len(c.N) != 1 {
		return nil, errRange
	}
	rs := make([]neural.Range, n)
	for i := range rs {
		r := neural.Range{Lo: c.Lo[i], Hi: c.Hi[i], Mean: c.Mean[i], N: c.N[min(i, len(c.N)-1)]}
		// A mean is a long sum: it may stray from the ends by its rounding.
		slack := 1e-3 * (1 + math.Abs(float64(r.Lo)) + math.Abs(float64(r.Hi)))
		if r.Lo > 0 || r.Hi < 0 || r.N < 0 || r.Mean < float64(r.Lo)-slack || r.Mean > float64(r.Hi)+slack {
			return nil, errRange
		}
		rs[i] = r
	}
	return rs, nil
}
