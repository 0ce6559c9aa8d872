// Package model holds the neural networks of the agent. It chooses the detector of a
// camera on this device (Choose), reads networks (ReadNetwork) and plans them for
// pictures of one size (PlanNetwork), describes them (Inspect), and makes and reads
// .kerb files (StartImport, Calibrate, Encode, Decode).
//
// It refuses a .kerb file of which one bit was changed, a network whose hash is not
// the one in site.toml, and a network that is no detector. It opens no network
// connection and downloads nothing.
//
// A .kerb file is a network as it was published, with its origin and with the ranges
// that let it be run in eight bits. Its layout, lengths as 32 bits, big-endian:
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

// Card is the origin of a network, and the pictures that its ranges were measured
// on.
type Card struct {
	Name     string            `json:"name"`               // of the file that was imported
	Source   string            `json:"source"`             // Sum of that file
	Licence  string            `json:"licence,omitempty"`  // as its importer or its author says
	Producer string            `json:"producer,omitempty"` // the program that wrote it
	Meta     map[string]string `json:"meta,omitempty"`     // its author's own words
	Input    [2]int            `json:"input"`              // its width and height, pixels
	Imported time.Time         `json:"imported"`           // in UTC
	By       string            `json:"imported_by"`
	Stills   int               `json:"stills"` // pictures that the ranges were measured on

	// Of a network that was trained here: the commit that trained it, and the
	// Sum of the list of pictures.
	Commit   string `json:"training_commit,omitempty"`
	Manifest string `json:"training_manifest,omitempty"`
}

// KerbFile is the content of a .kerb file.
type KerbFile struct {
	Card
	Ranges neural.Ranges // of tensors, by operator; nil or empty: it is run in floating point
	ONNX   []byte        // the network as it was published
}

// The bounds of a file, in bytes: about ten times the detectors in the binary.
const (
	maxONNX = 64 << 20
	maxCard = 8 << 20
	maxText = 1 << 10
	maxFile = len(magic) + 8 + maxCard + maxONNX + sha256.Size
)

const (
	brand = "kerb-model/"
	magic = brand + "1\n"
)

// The errors of Decode. They continue a sentence that begins with the file's name.
var (
	errForeign = errors.New("is not a .kerb file")
	errVersion = errors.New("is a .kerb file of another version than 1")
	errLength  = errors.New("is cut off or has something added: not as long as it says")
	errSeal    = errors.New("was changed: its SHA-256 does not fit its content")
	errText    = errors.New("has a card whose words are too long or not for print")
	errSource  = errors.New("holds another network than its card names")
)

// Sum returns the SHA-256 of a file as its name: "sha256:" and 64 lower-case
// hexadecimal digits.
func Sum(file []byte) string {
	sum := sha256.Sum256(file)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// hasBrand reports whether a file begins like a .kerb file of any version.
func hasBrand(file []byte) bool { return bytes.HasPrefix(file, []byte(brand)) }

// fileHeader is the card as it is written, with the ranges in columns: the JSON is a
// third as long then.
type fileHeader struct {
	Card
	Ranges map[string]rangeColumns `json:"ranges"`
}

// rangeColumns are the ranges of an operator, one number per channel.
type rangeColumns struct {
	Lo   []float32 `json:"lo"`
	Hi   []float32 `json:"hi"`
	Mean []float64 `json:"mean"`
	N    []int64   `json:"n"` // or one for all
}

// Encode returns the bytes of a .kerb file. The same File gives the same bytes. It
// refuses a File that Decode would refuse.
func Encode(f KerbFile) ([]byte, error) {
	f.Imported = f.Imported.UTC().Truncate(time.Second)
	h := fileHeader{Card: f.Card, Ranges: map[string]rangeColumns{}}
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

// Decode decodes a .kerb file. It refuses a file with a wrong length, seal, card,
// hash of the network or range; the error continues a sentence that begins with the
// file's name. The ONNX of the result is a part of file, not a copy; Decode does not
// parse it.
func Decode(file []byte) (*KerbFile, error) {
	rest, ok := bytes.CutPrefix(file, []byte(magic))
	switch {
	case !ok && hasBrand(file):
		return nil, errVersion
	case !ok:
		return nil, errForeign
	case len(rest) < 8+sha256.Size:
		return nil, errLength
	}
	card, onnx := uint64(binary.BigEndian.Uint32(rest)), uint64(binary.BigEndian.Uint32(rest[4:]))
	rest = rest[8 : len(rest)-sha256.Size]
	if card > maxCard || onnx > maxONNX || uint64(len(rest)) != card+onnx {
		return nil, errLength
	}
	body, seal := file[:len(file)-sha256.Size], file[len(file)-sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], seal) {
		return nil, errSeal
	}
	var h fileHeader
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
	f := &KerbFile{Card: h.Card, Ranges: neural.Ranges{}, ONNX: rest[card:]}
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

// packRanges returns the ranges in columns.
func packRanges(rs []neural.Range) (c rangeColumns) {
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

// meanSlack is the relative distance by which a mean may lie outside of its range.
// Chosen by hand.
const meanSlack = 1e-3

var errRange = errors.New("must be as many of each, from at most 0 to at least 0, the mean between")

// unpackRanges returns the ranges, or errRange for columns of different lengths and
// for ranges without 0.
func (c rangeColumns) unpackRanges() ([]neural.Range, error) {
	n := len(c.Lo)
	if n == 0 || len(c.Hi) != n || len(c.Mean) != n || len(c.N) != n && len(c.N) != 1 {
		return nil, errRange
	}
	rs := make([]neural.Range, n)
	for i := range rs {
		r := neural.Range{Lo: c.Lo[i], Hi: c.Hi[i], Mean: c.Mean[i], N: c.N[min(i, len(c.N)-1)]}
		// A mean is a long sum: rounding may put it outside of lo…hi.
		slack := meanSlack * (1 + math.Abs(float64(r.Lo)) + math.Abs(float64(r.Hi)))
		if r.Lo > 0 || r.Hi < 0 || r.N < 0 || r.Mean < float64(r.Lo)-slack || r.Mean > float64(r.Hi)+slack {
			return nil, errRange
		}
		rs[i] = r
	}
	return rs, nil
}
