package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Entry is one line of the log.
type Entry struct {
	Seq    uint64          `json:"seq"`    // from 1, contiguous
	At     time.Time       `json:"at"`     // UTC, to the millisecond
	Synced bool            `json:"synced"` // the wall clock was synced at At
	Kind   string          `json:"kind"`   // one word of a–z and _
	Data   json.RawMessage `json:"data,omitempty"`
	Prev   string          `json:"prev"` // Sum of the entry before; 64 zeros in the first entry

	// Sum is the SHA-256 of the line as written, without the member "sum".
	Sum string `json:"-"`
}

// The form of the member "sum" at the end of a line, and the bounds of an entry.
const (
	sumStart = `,"sum":"`
	sumEnd   = `"}`
	sumHex   = 2 * sha256.Size
	sumSize  = len(sumStart) + sumHex + len(sumEnd)

	maxLine = 64 << 10
	maxKind = 32
)

// genesis is the member "prev" of the first entry.
var genesis = hex.EncodeToString(make([]byte, sha256.Size))

// encodeLine returns the entry as a line of the log, without the newline, and
// its sum.
func (e Entry) encodeLine() ([]byte, string, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, "", err
	}
	sum := sumOf(body)
	b := append(body[:len(body)-1:len(body)-1], sumStart+sum+sumEnd...)
	if len(b) > maxLine {
		return nil, "", fmt.Errorf("an entry of %d bytes: at most %d", len(b), maxLine)
	}
	return b, sum, nil
}

// sumOf returns the SHA-256 in lower-case hexadecimal.
func sumOf(body []byte) string {
	h := sha256.Sum256(body)
	return hex.EncodeToString(h[:])
}

// parseLine decodes one line. It accepts only the exact bytes that encodeLine
// writes: an entry has one form, so that a change of any byte is detected.
func parseLine(b []byte) (Entry, error) {
	var e Entry
	if len(b) <= sumSize || len(b) > maxLine {
		return e, errors.New("it is not an entry")
	}
	body := append(b[:len(b)-sumSize:len(b)-sumSize], '}')
	if err := json.Unmarshal(body, &e); err != nil {
		return e, errors.New("it is not an entry")
	}
	again, sum, err := e.encodeLine()
	switch {
	case err != nil:
		return e, err
	case !bytes.Equal(again[:len(again)-sumSize], b[:len(b)-sumSize]):
		return e, errors.New("it is not written as this log writes")
	case !bytes.Equal(again, b):
		return e, errors.New("its sum does not fit: it was changed")
	case e.Seq == 0 || !isWord(e.Kind) || !e.At.Equal(e.At.Truncate(time.Millisecond)) || !isSum(e.Prev):
		return e, errors.New("it is not an entry")
	}
	e.Sum = sum
	return e, nil
}

// isWord reports whether s is a valid kind: 1–32 of a–z and _.
func isWord(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && r != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxKind
}

// isSum reports whether s is a SHA-256 in lower-case hexadecimal.
func isSum(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}
