package store_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// editRecords changes the records of a closed spool by hand, as who has the card can.
func editRecords(t *testing.T, path string, edit func(windows *bolt.Bucket)) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bolt.Tx) error { edit(tx.Bucket([]byte("windows"))); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func recordKey(order uint64) []byte { return binary.BigEndian.AppendUint64(nil, order) }

// forge changes a record's flags, of the relabelled, and sets the checksum right again.
func forge(record []byte) []byte {
	b, flags := bytes.Clone(record), 5
	if b[0] == 2 {
		flags += 16
	}
	b[flags] ^= 4
	binary.LittleEndian.PutUint32(b[1:], crc32.Checksum(b[5:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func put(t *testing.T, windows *bolt.Bucket, order uint64, record []byte) {
	t.Helper()
	if err := windows.Put(recordKey(order), record); err != nil {
		t.Fatal(err)
	}
}

func orders(es []store.Entry) (out []uint64) {
	for _, e := range es {
		out = append(out, e.Order())
	}
	return out
}

// newSealed returns the path of a closed spool of another directory with five windows.
func newSealed(t *testing.T, opts ...store.Option) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spool")
	s := openStore(t, path, opts...)
	appendWindows(t, s, []string{"a"}, 0, 5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// A record that was changed, moved to another place, or written by another device is put
// aside and told; the others are delivered. Without the seal each of these is delivered
// as genuine, which is the control.
func TestOnlyRecordsThatThisDeviceWroteAreSent(t *testing.T) {
	foreign := func(path string, opts ...store.Option) (record []byte) {
		editRecords(t, newSealed(t, opts...), func(w *bolt.Bucket) { record = bytes.Clone(w.Get(recordKey(3))) })
		return record
	}
	for name, edit := range map[string]func(path string, opts ...store.Option){
		"changed": func(path string, _ ...store.Option) {
			editRecords(t, path, func(w *bolt.Bucket) { put(t, w, 3, forge(w.Get(recordKey(3)))) })
		},
		"moved": func(path string, _ ...store.Option) {
			editRecords(t, path, func(w *bolt.Bucket) { put(t, w, 3, bytes.Clone(w.Get(recordKey(2)))) })
		},
		"of another device": func(path string, opts ...store.Option) {
			record := foreign(path, opts...)
			editRecords(t, path, func(w *bolt.Bucket) { put(t, w, 3, record) })
		},
		"without a seal": func(path string, _ ...store.Option) {
			record := foreign(path)
			editRecords(t, path, func(w *bolt.Bucket) { put(t, w, 3, record) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := newSealed(t, store.Sealed())
			edit(path, store.Sealed())
			s := openStore(t, path, store.Sealed())
			if got := orders(pending(t, s)); !slices.Equal(got, []uint64{1, 2, 4, 5}) {
				t.Errorf("orders %v are sent", got)
			}
			kinds := map[string]int{}
			for _, n := range s.PendingNotes() {
				kinds[n.Kind]++
				if n.Kind == "evicted" && n.Data["reason"] != "refused" {
					t.Errorf("evicted: %v", n.Data)
				}
			}
			if kinds["spool_refused"] != 1 || name == "changed" && kinds["evicted"] != 1 || s.Start().Refused != 1 {
				t.Errorf("told: %v, %d refused", kinds, s.Start().Refused)
			}
			if _, err := os.Stat(path + ".refused-1"); err != nil {
				t.Error("nothing was put aside: ", err)
			}
			s = reopenStore(t, s, path, store.Sealed())
			if got := orders(pending(t, s)); !slices.Equal(got, []uint64{1, 2, 4, 5}) || s.Start().Refused != 0 {
				t.Errorf("after the next start orders %v are sent, %d refused", got, s.Start().Refused)
			}

			path = newSealed(t)
			edit(path)
			if got := orders(pending(t, openStore(t, path))); len(got) != 5 {
				t.Errorf("the control: without seals %v are sent", got)
			}
		})
	}
}

// The spool of a version without seals is accepted once, also where a start ends in the
// middle of the sealing, and no second time.
func TestAnOldSpoolIsSealedOnce(t *testing.T) {
	path := newSealed(t)
	var old []byte
	editRecords(t, path, func(w *bolt.Bucket) { old = bytes.Clone(w.Get(recordKey(4))) })
	s := openStore(t, path, store.Sealed())
	if got := orders(pending(t, s)); len(got) != 5 || s.Start().Refused != 0 {
		t.Fatalf("orders %v, %d refused", got, s.Start().Refused)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(path + ".key")
	if info.Mode() != 0o600 || !bytes.HasSuffix(key, []byte("\nsealed\n")) {
		t.Errorf("key of mode %v: %d bytes", info.Mode(), len(key))
	}

	// As if the start had ended before the mark: some records have seals, others none.
	editRecords(t, path, func(w *bolt.Bucket) { put(t, w, 4, old) })
	if err := os.WriteFile(path+".key", bytes.TrimSuffix(key, []byte("sealed\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path, store.Sealed())
	if got := orders(pending(t, s)); len(got) != 5 || s.Start().Refused != 0 {
		t.Fatalf("orders %v, %d refused", got, s.Start().Refused)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	editRecords(t, path, func(w *bolt.Bucket) { put(t, w, 4, old) })
	s = openStore(t, path, store.Sealed())
	if got := orders(pending(t, s)); len(got) != 4 || s.Start().Refused != 1 {
		t.Errorf("a second time: orders %v, %d refused", got, s.Start().Refused)
	}
}

// Without its key, or with a broken one, no record is known as this device's. The key
// is made again, and new windows are sent.
func TestALostKeyMakesEveryRecordForeign(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"deleted": os.Remove,
		"broken":  func(path string) error { return os.WriteFile(path, []byte("kerb.seal/1 no\n"), 0o600) },
		"a link":  func(path string) error { return replaceByLink(t, path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := newSealed(t, store.Sealed())
			if err := spoil(path + ".key"); err != nil {
				t.Fatal(err)
			}
			s := openStore(t, path, store.Sealed())
			if s.Start().Refused != 5 || len(pending(t, s)) != 0 {
				t.Fatalf("%d refused, %d sent", s.Start().Refused, len(pending(t, s)))
			}
			appendWindows(t, s, []string{"a"}, 5, 7)
			s = reopenStore(t, s, path, store.Sealed())
			if s.Start().Refused != 0 || len(pending(t, s)) != 2 {
				t.Errorf("%d refused, %d sent", s.Start().Refused, len(pending(t, s)))
			}
		})
	}
}

// replaceByLink replaces a file by a link to another one, which must stay as it is.
func replaceByLink(t *testing.T, path string) error {
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("kerb.seal/1 "), 0o600); err != nil {
		return err
	}
	t.Cleanup(func() {
		if b, err := os.ReadFile(victim); err != nil || string(b) != "kerb.seal/1 " {
			t.Errorf("the link was followed: %q %v", b, err)
		}
	})
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(victim, path)
}

func BenchmarkAppendSealed(b *testing.B) {
	for name, opts := range map[string][]store.Option{"plain": nil, "sealed": {store.Sealed()}} {
		b.Run(name, func(b *testing.B) {
			s, err := store.Open(filepath.Join(b.TempDir(), "spool"), append(opts, store.WallClock(storetest.FirstStart.UTC))...)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for i := 0; b.Loop(); i++ {
				if _, err := s.Append(storetest.MakeWindows([]string{"a", "b"}, i)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
