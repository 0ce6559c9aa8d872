package powercut

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// loadDir, when set, makes this test program fill a spool there.
const loadDir = "KERB_POWERCUT_LOAD"

func TestMain(m *testing.M) {
	var err error
	if dir := os.Getenv(loadDir); dir != "" {
		err = fillAndCompact(dir)
	} else if dir := os.Getenv(killDir); dir != "" {
		err = fillUntilKilled(dir, os.Getenv(killFrom))
	} else {
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func spoolOptions(now *time.Time) []store.Option {
	return []store.Option{store.KeepFor(time.Hour), store.WallClock(func() time.Time { return *now })}
}

// fillAndCompact fills, empties and compacts a spool. It marks each window once
// the spool has accepted it, and before it may release it.
func fillAndCompact(dir string) error {
	marks, err := os.Create(filepath.Join(dir, "marks"))
	if err != nil {
		return err
	}
	now := storetest.FirstStart
	path := filepath.Join(dir, "spool")
	s, err := store.Open(path, spoolOptions(&now)...)
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(7, 7))
	var open []store.Entry
	window := 0
	for round := range 3 {
		streams := storetest.StreamNames(4)
		for i := range 120 {
			if i >= 60 && i < 90 {
				streams = storetest.StreamNames(120) // fill it up, so that it can be hollowed out
			} else {
				streams = streams[:4]
			}
			es, err := s.Append(storetest.MakeWindows(streams, window))
			if err != nil {
				return err
			}
			window++
			mark := ""
			for _, e := range es {
				mark += fmt.Sprintf("A %s %x\n", entryName(e), entryDigest(e))
			}
			fmt.Fprint(marks, mark)
			open = append(open, es...)
			if i == 90 || rnd.IntN(3) == 0 {
				n := rnd.IntN(len(open))
				if i == 90 {
					n = len(open) - 3
				}
				mark = ""
				for _, e := range open[:n] {
					mark += fmt.Sprintf("S %s\n", entryName(e))
				}
				fmt.Fprint(marks, mark)
				if err := s.AckWindows(open[:n]); err != nil {
					return err
				}
				open = open[n:]
			}
			if i == 100 {
				mark = "" // the retention is over for all of them
				for _, e := range open {
					mark += fmt.Sprintf("S %s\n", entryName(e))
				}
				fmt.Fprint(marks, mark)
				open = nil
				now = now.Add(3 * time.Hour)
				window += int(3 * time.Hour / (5 * time.Second))
			}
		}
		if round == 1 {
			if err := s.Close(); err != nil {
				return err
			}
			if s, err = store.Open(path, spoolOptions(&now)...); err != nil {
				return err
			}
		}
	}
	return s.Close()
}

func entryName(e store.Entry) string {
	return fmt.Sprintf("%s/%s/%d", e.Epoch, e.Release.Stream(), e.Seq)
}

func entryDigest(e store.Entry) []byte {
	b, err := e.Release.MarshalBinary()
	if err != nil {
		panic(err)
	}
	d := sha256.Sum256(b)
	return d[:8]
}
