package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"

	"kerb/agent/store/storetest"
)

// branches calls f with each branch page of a bbolt file and its number: that of the
// tree, and older ones that are free.
func branches(t *testing.T, image []byte, f func(page []byte, id uint64)) {
	t.Helper()
	size, found := os.Getpagesize(), 0
	for at := 2 * size; at+size <= len(image); at += size {
		p := image[at : at+size]
		if binary.LittleEndian.Uint16(p[8:]) == branchPage && binary.LittleEndian.Uint64(p) == uint64(at/size) {
			f(p, uint64(at/size))
			found++
		}
	}
	if found == 0 {
		t.Fatal("no branch page: the test shows nothing")
	}
}

// The files of public reports about bbolt: each ended its program by a panic, mostly in
// a goroutine of bbolt. Here the file is put aside, and counting goes on.
func TestADamagedFileIsPutAside(t *testing.T) {
	child := func(page []byte, element int) []byte { return page[pageHeader+element*pageElement+8:] } // page number of an element
	for name, damage := range map[string]func(t *testing.T, image []byte){
		"etcd-io/bbolt#701: a cycle of pages": func(t *testing.T, image []byte) {
			branches(t, image, func(page []byte, id uint64) { binary.LittleEndian.PutUint64(child(page, 0), id) })
		},
		"etcd-io/bbolt#335: a page out of bounds": func(t *testing.T, image []byte) {
			branches(t, image, func(page []byte, _ uint64) { binary.LittleEndian.PutUint64(child(page, 0), 8314893338927566090) })
		},
		"etcd-io/bbolt#778: a page with two references": func(t *testing.T, image []byte) {
			branches(t, image, func(page []byte, _ uint64) { copy(child(page, 0)[:8], child(page, 1)[:8]) })
		},
		"etcd-io/bbolt#537: an unknown kind of page": func(t *testing.T, image []byte) {
			branches(t, image, func(page []byte, _ uint64) { binary.LittleEndian.PutUint16(page[8:], 0x10) })
		},
		"etcd-io/bbolt#103: pages of zeros": func(_ *testing.T, image []byte) { clear(image[2*os.Getpagesize():]) },
		"etcd-io/bbolt#446: a freelist at page 0": func(_ *testing.T, image []byte) {
			for i := range 2 {
				m := image[i*os.Getpagesize()+pageHeader:]
				binary.LittleEndian.PutUint64(m[32:], 0)
				sum := fnv.New64a()
				sum.Write(m[:metaSum])
				binary.LittleEndian.PutUint64(m[metaSum:], sum.Sum64())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "spool")
			image := imageOfSpool(t)
			damage(t, image)
			if err := os.WriteFile(path, image, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenReadOnly(path); !errors.Is(err, ErrDamaged) {
				t.Errorf("read: %v", err)
			}
			s, err := Open(path, WallClock(storetest.FirstStart.UTC))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if s.Start().Reason != startDamaged || s.Start().Kept == "" {
				t.Errorf("start %+v", s.Start())
			}
			checkAside(t, s.Start().Kept, image)
		})
	}
}

// checkAside compares a file that was put aside with what it was: each page is as it was,
// or overwritten. A file without a window is gone.
func checkAside(t *testing.T, path string, image []byte) {
	t.Helper()
	kept, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && !bytes.Contains(image, []byte("KRL\x01")) {
		return
	}
	if err != nil || len(kept) != len(image) || !bytes.Contains(kept, []byte("KRL\x01")) {
		t.Fatalf("%d of %d bytes, %v", len(kept), len(image), err)
	}
	size := os.Getpagesize()
	for at := 0; at < len(image); at += size {
		if page := kept[at : at+size]; !isZero(page) && !bytes.Equal(page, image[at:at+size]) {
			t.Errorf("page %d is another one", at/size)
		}
	}
}
