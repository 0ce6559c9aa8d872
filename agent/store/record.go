package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"kerb/agent/policy"
)

// A record holds one window in the file, under its order as key:
//
//	1 byte    format, 1; 2: with a seal
//	4 bytes   CRC-32C of all that follows, little endian
//	16 bytes  the seal, if there is one: see sealer
//	1 byte    flags: bit 0, the label can be trusted; bit 1, there is a part; bit 2, relabelled; bit 3, dated
//	uvarint   sequence number
//	uvarint   part, if there is one
//	varint    age of the spool in ms at the end of the window, if it is dated
//	3 ×       uvarint length and bytes: epoch, boot, stream
//	rest      the Release, as policy marshals it
//
// It has a checksum because bbolt's pages have none and SD cards lose bits.
const recordFormat = 1

// The bits of the flags.
const (
	flagSynced     = 1 << iota // Entry.Synced
	flagPart                   // Entry.Part is not 0
	flagRelabelled             // Entry.Relabelled
	flagDated                  // Entry.dated
	allFlags       = flagSynced | flagPart | flagRelabelled | flagDated
)

// errRecord reports a record with a wrong checksum or form.
var errRecord = errors.New("damaged record")

// crc32c returns the CRC-32 with Castagnoli's polynomial (RFC 3720, appendix
// B.4).
func crc32c(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// recordHead holds the fields of a record in front of the Release.
type recordHead struct {
	epoch, boot, stream string
	seq                 uint64
	synced, relabelled  bool
	part                uint32
	dated               bool
	age                 int64
	release             []byte // aliases the record
}

// encodeRecord returns the record of a window.
func encodeRecord(e Entry) ([]byte, error) {
	body, err := e.Release.MarshalBinary()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 6, 64+len(e.Epoch)+len(e.Boot)+len(body))
	b[0] = recordFormat
	for bit, set := range map[byte]bool{flagSynced: e.Synced, flagPart: e.Part > 0, flagRelabelled: e.Relabelled, flagDated: e.dated} {
		if set {
			b[5] |= bit
		}
	}
	b = binary.AppendUvarint(b, e.Seq)
	if e.Part > 0 {
		b = binary.AppendUvarint(b, uint64(e.Part))
	}
	if e.dated {
		b = binary.AppendVarint(b, e.age)
	}
	for _, s := range []string{e.Epoch, e.Boot, e.Release.Stream()} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = append(b, body...)
	binary.LittleEndian.PutUint32(b[1:], crc32c(b[5:]))
	return b, nil
}

// decodeHead checks the checksum of a record and decodes its head.
func decodeHead(b []byte) (recordHead, error) {
	var h recordHead
	if len(b) < 7 || b[0] != recordFormat && b[0] != sealedFormat || binary.LittleEndian.Uint32(b[1:]) != crc32c(b[5:]) {
		return h, errRecord
	}
	if b[0] == sealedFormat {
		if b = b[sealSize:]; len(b) < 7 {
			return h, errRecord
		}
	}
	flags := b[5]
	if flags&^allFlags != 0 {
		return h, errRecord
	}
	h.synced, h.relabelled = flags&flagSynced != 0, flags&flagRelabelled != 0
	b = b[6:]
	var n int
	if h.seq, n = binary.Uvarint(b); n <= 0 || h.seq == 0 {
		return h, errRecord
	}
	b = b[n:]
	if flags&flagPart != 0 {
		part, n := binary.Uvarint(b)
		if n <= 0 || part < 2 || part > math.MaxUint32 {
			return h, errRecord
		}
		h.part, b = uint32(part), b[n:]
	}
	if h.dated = flags&flagDated != 0; h.dated {
		if h.age, n = binary.Varint(b); n <= 0 {
			return h, errRecord
		}
		b = b[n:]
	}
	for _, s := range []*string{&h.epoch, &h.boot, &h.stream} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return h, errRecord
		}
		*s = string(b[n : n+int(size)])
		b = b[n+int(size):]
	}
	h.release = b
	return h, nil
}

// decodeRecord decodes a whole record, whose key is order.
func decodeRecord(order uint64, b []byte) (Entry, error) {
	h, err := decodeHead(b)
	if err != nil {
		return Entry{}, err
	}
	r, err := policy.RestoreRelease(h.release)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	if r.Stream() != h.stream {
		return Entry{}, fmt.Errorf("%w: filed under stream %q", errRecord, h.stream)
	}
	return Entry{
		Epoch: h.epoch, Seq: h.seq, Boot: h.boot, Synced: h.synced, Release: r, Part: h.part, Relabelled: h.relabelled, order: order,
		dated: h.dated, age: h.age,
	}, nil
}

// orderKey returns the key of a record: its order, big endian, so that bbolt's
// byte order is the order of the windows.
func orderKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
