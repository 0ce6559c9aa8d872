package status

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// maxAnswer bounds one answer in bytes: MaxQueryCount windows of 2 KB each, with
// room.
const maxAnswer = 1 << 20

// headBytes is the size of the head of an answer between the processes: the number of
// the query and the length of the text, little-endian.
const headBytes = 8 + 4

// WriteAnswer writes the uplink's answer to query n: a JSON text. It is how the
// uplink answers the supervisor.
func WriteAnswer(w io.Writer, n uint64, answer any) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("an answer of %d bytes", len(text))
	}
	b := binary.LittleEndian.AppendUint64(nil, n)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	_, err = w.Write(append(b, text...))
	return err
}

// ReadAnswer reads one answer of the uplink: the number of its query, and its text,
// unread.
func ReadAnswer(r io.Reader) (n uint64, text []byte, err error) {
	var head [headBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.LittleEndian.Uint32(head[8:])
	if length > maxAnswer {
		return 0, nil, fmt.Errorf("an answer of %d bytes", length)
	}
	text = make([]byte, length)
	_, err = io.ReadFull(r, text)
	return binary.LittleEndian.Uint64(head[:8]), text, err
}
