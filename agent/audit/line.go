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
	Seq    uint64          `json:"seq"` // from 1, contiguous
	At     time.Time       `json:"at"`  // UTC, to the millisecond
	Synced bool            `json:"synced"`
	Kind   string          `json:"kind"` // one word of a–z and _
	Data   json.RawMessage `json:"data,omitempty"`
	Prev   string          `json:"prev"` // Sum of the entry before; of the first one: 64 zeros

	// Sum is the SHA-256 of the line as it stands, without its own member.
	Sum string `json:"-"`
}

const (
	sumStart = `,"sum":"`
	sumEnd   = `"}`
	sumHex   = 2 * sha256.Size
	tail     = len(sumStart) + sumHex + len(sumEnd)

	maxLine = 64 << 10
	maxKind = 32
)

// genesis stands before the first entry.
var genesis = hex.EncodeToString(make([]byte, sha256.Size))

// line is the entry as it stands in the log, without the newline, and its sum.
func (e Entry) line() ([]byte, string, error) {
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

func sumOf(body []byte) string {
	h := sha256.Sum256(body)
	return hex.EncodeToString(h[:])
}

// parse reads one line back. Only what line wrote passes, byte for byte: an
// entry has one form, so that nothing in it can change unseen.
func parse(b []byte) (Entry, error) {
	var e Entry
	if len(b) <= tail || len(b) > maxLine {
		return e, errors.New("it is not an entry")
	}
	body := append(b[:len(b)-tail:len(b)-tail], '}')
	if err := json.Unmarshal(body, &e); err != nil {
		return e, errors.New("it is not an entry")
	}
	again, sum, err := e.line()
	switch {
	case err != nil:
		return e, err
	case !bytes.Equal(again[:len(again)-tail], b[:len(b)-tail]):
		return e, errors.New("it is not written as this log writes")
	case !bytes.Equal(again, b):
		return e, errors.New("its sum does not fit: it was changed")
	case e.Seq == 0 || !isWord(e.Kind) || !e.At.Equal(e.At.Truncate(time.Millisecond)) || !isSum(e.Prev):
		return e, errors.New("it is not an entry")
	}
	e.Sum = sum
	return e, nil
}

func isWord(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && r != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxKind
}

func isSum(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}
