package store

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"kerb/agent/store/storetest"
)

func FuzzARecordThatDecodesIsTheOneThatWasEncoded(f *testing.F) {
	for i := range 8 {
		b, err := encodeRecord(Entry{Epoch: newUUID(), Boot: newUUID(), Seq: uint64(i + 1), Synced: i%2 == 0, Release: storetest.MakeWindow("a", i)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// The checksum would keep every mutation out: give it the right one.
		if len(b) > 5 {
			b = bytes.Clone(b)
			fixChecksum(b)
		}
		e, err := decodeRecord(1, b)
		if err != nil {
			return
		}
		again, err := encodeRecord(e)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decodeRecord(1, again); err != nil || back != e {
			t.Errorf("%+v came back as %+v, %v", e, back, err)
		}
	})
}

func FuzzAnAccountThatParsesCanBeUsed(f *testing.F) {
	f.Add([]byte(`{"format":"kerb.spool/1","epoch":"7b0c","seq":{"a":7},"last":9,"pending":[[2,3],[5,9]],"tombs":[{"epoch":"7b0c","stream":"a","from":1,"to":2,"reason":"full"}]}`))
	f.Add([]byte(`{"format":"kerb.spool/1","epoch":"x","last":18446744073709551615,"pending":[[1,18446744073709551615]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		st, err := parseState(b)
		if err != nil {
			return
		}
		n := st.Pending.total()
		e := Entry{Release: storetest.MakeWindow("a", 0)}
		st.numberWindow(&e)
		if !st.Pending.contains(e.order) || st.Pending.total() != n+1 {
			t.Errorf("%d pending of %s", st.Pending.total(), b)
		}
	})
}

// imageOfSpool returns the bytes of a small spool with several levels of pages.
func imageOfSpool(f testing.TB) []byte {
	path := filepath.Join(f.TempDir(), "spool")
	s, err := Open(path, WallClock(storetest.FirstStart.UTC))
	if err != nil {
		f.Fatal(err)
	}
	for i := range 60 {
		if _, err := s.Append(storetest.MakeWindows(storetest.StreamNames(2), i)); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// bbolt can panic in a goroutine of its own, which ends the process: no file that
// verifyFile accepts may cause that.
func FuzzAFileThatPassesDoesNotKillBbolt(f *testing.F) {
	image := imageOfSpool(f)
	f.Add([]byte{0, 0, 0, 0, 0})
	f.Add(binary.LittleEndian.AppendUint32([]byte{3}, 4096*4+8))
	f.Add([]byte("\x03@@\x00\x00")) // a leaf element that is a bucket by one flag too many
	path := filepath.Join(f.TempDir(), "spool")
	f.Fuzz(func(t *testing.T, edits []byte) {
		b := bytes.Clone(image)
		for ; len(edits) >= 5; edits = edits[5:] { // offset, value
			b[binary.LittleEndian.Uint32(edits[1:])%uint32(len(b))] = edits[0]
		}
		if verifyPages(bytes.NewReader(b), int64(len(b))) != nil {
			return
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := openBolt(path, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
		if err != nil {
			return
		}
		defer db.Close()
		_, _ = readState(db)
	})
}

func fixChecksum(b []byte) {
	binary.LittleEndian.PutUint32(b[1:], crc32c(b[5:]))
}
