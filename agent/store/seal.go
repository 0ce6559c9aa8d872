package store

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// A seal is the keyed checksum of a record: HMAC-SHA-256 (RFC 2104) of its order and its
// bytes, cut to sealSize. The key is the device's own, in the file path.key beside the
// spool, which its user alone may read. A sealed record has the format sealedFormat, and
// the seal after the checksum.
//
// It shows that this device wrote the record, and at this place: a record that was
// written elsewhere, changed, or moved to another order fails. It shows nothing against
// those who can read the key, as root and the user of the service can, and nothing of
// records that are missing: those have numbers.
const (
	sealedFormat = 2
	sealSize     = 16
	sealAt       = 5 // offset of the seal, and of the body in an unsealed record
	sealKeySize  = 32
	keySuffix    = ".key"
	keyHead      = "kerb.seal/1 "
	keyMark      = "sealed\n" // a line of the key file: every record of the spool has a seal
	maxKeyFile   = 256
	sealedPut    = 512 // records sealed in one transaction

	evictedRefused = "refused" // the record was changed, or is not this device's
)

var errSealKey = errors.New("key of the spool")

// Sealed makes the spool seal its records, and refuse those without a seal of this
// device: see Open.
func Sealed() Option { return func(s *Store) { s.seals = true } }

// sealer holds the key.
type sealer struct {
	key   []byte
	whole bool // every record of the spool must have a seal
}

// sum returns the seal of a record's body under an order.
func (k *sealer) sum(order uint64, body []byte) []byte {
	h := hmac.New(sha256.New, k.key)
	h.Write(orderKey(order))
	h.Write(body)
	return h.Sum(nil)[:sealSize]
}

// seal returns an unsealed record with its seal.
func (k *sealer) seal(order uint64, record []byte) []byte {
	if k == nil {
		return record
	}
	b := make([]byte, sealAt, len(record)+sealSize)
	b[0] = sealedFormat
	b = append(b, k.sum(order, record[sealAt:])...)
	b = append(b, record[sealAt:]...)
	binary.LittleEndian.PutUint32(b[1:], crc32c(b[sealAt:]))
	return b
}

// holds reports whether a record may be used: it has the seal of its order. Before the
// spool was sealed as a whole, a record without a seal may be used, too.
func (k *sealer) holds(order uint64, record []byte) bool {
	switch {
	case k == nil:
		return true
	case len(record) > 0 && record[0] == recordFormat:
		return !k.whole
	case len(record) < sealAt+sealSize || record[0] != sealedFormat:
		return false
	}
	body := record[sealAt+sealSize:]
	return hmac.Equal(record[sealAt:sealAt+sealSize], k.sum(order, body))
}

// loadSealer reads the key beside the spool, or makes it.
func loadSealer(path string) (*sealer, error) {
	f, err := os.OpenFile(path+keySuffix, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		k := &sealer{key: make([]byte, sealKeySize)}
		_, _ = rand.Read(k.key) // it ends the program where there are no random numbers
		return k, k.write(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSealKey, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSealKey, err)
	}
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	word, ok := bytes.CutPrefix(line, []byte(keyHead))
	key, err := hex.DecodeString(string(word))
	if !ok || err != nil || len(key) != sealKeySize {
		return nil, fmt.Errorf("%w: %s is none", errSealKey, path+keySuffix)
	}
	return &sealer{key: key, whole: string(rest) == keyMark}, nil
}

// write replaces the key file.
func (k *sealer) write(path string) error {
	text := keyHead + hex.EncodeToString(k.key) + "\n"
	if k.whole {
		text += keyMark
	}
	if err := replaceFile(path+keySuffix, []byte(text)); err != nil {
		return fmt.Errorf("%w: %w", errSealKey, err)
	}
	return nil
}

// sealSpool checks the seals of the open file. Records without one are sealed, once;
// those that are not this device's are put aside in a file of their own, told by an
// event, and get tombstones where they were not delivered. A key file that is broken is
// replaced, and then no record is known as this device's.
func (s *Store) sealSpool() error {
	if !s.seals || s.readOnly || s.db == nil {
		return nil
	}
	k, err := loadSealer(s.path)
	if err != nil && k == nil && !isStorageFault(err) && !errors.Is(err, fs.ErrPermission) {
		if err = os.Remove(s.path + keySuffix); err == nil {
			k, err = loadSealer(s.path)
		}
	}
	if err != nil {
		return err
	}
	s.seal = k
	bare, refused, err := s.sortRecords()
	if err == nil && len(refused) > 0 {
		err = s.putRefusedAside(refused)
	}
	if err == nil {
		err = s.sealRecords(bare)
	}
	if err == nil && !k.whole {
		k.whole = true
		err = k.write(s.path)
	}
	return err
}

// sortRecords returns the orders of the records without a seal that get one, and the
// records that are refused. A record whose checksum fails is damaged, and neither.
func (s *Store) sortRecords() (bare []uint64, refused map[uint64][]byte, err error) {
	refused = map[uint64][]byte{}
	err = s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(windowsBucket).ForEach(func(key, v []byte) error {
			if len(key) != 8 {
				return nil
			}
			order := binary.BigEndian.Uint64(key)
			if _, err := decodeHead(v); err != nil {
				return nil
			}
			switch {
			case !s.seal.holds(order, v):
				refused[order] = bytes.Clone(v)
			case v[0] == recordFormat:
				bare = append(bare, order)
			}
			return nil
		})
	})
	return bare, refused, err
}

// sealRecords gives the records under the orders their seals.
func (s *Store) sealRecords(orders []uint64) error {
	for part := range slices.Chunk(orders, sealedPut) {
		err := s.db.Update(func(tx *bolt.Tx) error {
			windows := tx.Bucket(windowsBucket)
			for _, order := range part {
				if err := windows.Put(orderKey(order), s.seal.seal(order, bytes.Clone(windows.Get(orderKey(order))))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// putRefusedAside moves refused records to a file path.refused-N, where they stay for
// the retention like those of other files put aside.
func (s *Store) putRefusedAside(refused map[uint64][]byte) error {
	orders := make([]uint64, 0, len(refused))
	for order := range refused {
		orders = append(orders, order)
	}
	slices.Sort(orders)
	kept, err := s.writeAside(orders, refused)
	if err != nil {
		return err
	}
	s.start.Refused = len(orders)
	s.addNote("spool_refused", map[string]any{"windows": len(orders), "kept": kept})
	for _, order := range orders {
		h, err := decodeHead(refused[order])
		if err == nil && s.st.Pending.contains(order) && s.st.gave(h) {
			s.st.addTombstone(h.epoch, h.stream, h.seq, evictedRefused, s.now())
		}
		s.st.Pending.removeRange(order, order)
	}
	return s.db.Update(func(tx *bolt.Tx) error {
		for _, order := range orders {
			if err := tx.Bucket(windowsBucket).Delete(orderKey(order)); err != nil {
				return err
			}
		}
		return nil
	})
}

// gave reports whether the account gave the number that a record names.
func (st *state) gave(h recordHead) bool {
	if h.epoch == st.Epoch {
		return h.seq <= st.Seq[h.stream]
	}
	p := st.pastEpoch(h.epoch)
	return p != nil && h.seq <= p.Last[h.stream]
}

// writeAside writes records to a new file path.refused-N and returns its name.
func (s *Store) writeAside(orders []uint64, records map[uint64][]byte) (kept string, err error) {
	tmp := s.path + compactSuffix
	o := *s.boltOptions()
	o.MaxSize = 0
	db, err := openBolt(tmp, &o)
	if err != nil {
		return "", err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		windows, err := tx.CreateBucketIfNotExists(windowsBucket)
		for _, order := range orders {
			if err == nil {
				err = windows.Put(orderKey(order), records[order])
			}
		}
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return "", errors.Join(err, os.Remove(tmp))
	}
	return quarantineFrom(tmp, s.path, "refused")
}
