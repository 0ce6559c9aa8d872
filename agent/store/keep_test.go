package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// wall is a wall clock that the test sets.
type wall struct{ time.Time }

func (w *wall) now() time.Time { return w.Time }

func countStored(t *testing.T, s *store.Store) (n int) {
	t.Helper()
	if err := s.EachWindow(func(store.Item) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWindowsGoAfterTheirRetentionDeliveredOrNot(t *testing.T) {
	w := &wall{storetest.FirstStart}
	s := openStore(t, filepath.Join(t.TempDir(), "spool"), store.WallClock(w.now), store.KeepFor(time.Hour))
	all := appendWindows(t, s, storetest.StreamNames(2), 0, 10)
	if err := s.AckWindows(all[4:]); err != nil {
		t.Fatal(err)
	}
	w.Time = w.Add(time.Hour)
	appendWindows(t, s, storetest.StreamNames(2), 10, 11)
	if n := countStored(t, s); n != 22 {
		t.Errorf("%d windows stored within the retention", n)
	}
	w.Time = time.Time{} // not to be trusted
	appendWindows(t, s, storetest.StreamNames(2), 11, 12)
	if n := countStored(t, s); n != 24 {
		t.Errorf("%d windows stored: some expired by a clock that nobody trusts", n)
	}
	w.Time = storetest.FirstStart.Add(2 * time.Hour)
	fresh := appendWindows(t, s, storetest.StreamNames(2), 1440, 1441)
	if n := countStored(t, s); n != 2 {
		t.Errorf("%d windows stored after the retention", n)
	}
	checkEqual(t, pending(t, s), fresh)
	st := s.Stats()
	if st.Evicted != 8 || len(st.Tombstones) != 4 || st.Tombstones[0].Reason != "expired" || st.Tombstones[0].From != 1 || st.Tombstones[0].To != 2 {
		t.Errorf("evicted %d, tombstones %v", st.Evicted, st.Tombstones)
	}
	if n := s.PendingNotes(); len(n) != 4 || n[0].Kind != "evicted" || n[0].Data["reason"] != "expired" {
		t.Errorf("notes %v", n)
	}
}

func TestAWindowStampedFarAheadDoesNotStopTheExpiryOfOthers(t *testing.T) {
	w := &wall{storetest.FirstStart.Add(time.Hour + 22*time.Second)}
	s := openStore(t, filepath.Join(t.TempDir(), "spool"), store.WallClock(w.now), store.KeepFor(time.Hour))
	day := int(24 * time.Hour / (5 * time.Second))
	for _, i := range []int{3650 * day, 0, 1, 2} {
		es, err := s.Append(storetest.MakeWindows(storetest.StreamNames(1), i))
		if err != nil || s.AckWindows(es) != nil {
			t.Fatal(err)
		}
	}
	appendWindows(t, s, storetest.StreamNames(1), 4, 5)
	if n := countStored(t, s); n != 1 {
		t.Errorf("%d windows stored", n)
	}
}

func TestAFullSpoolDropsAcknowledgedWindowsFirstAndThenLeavesTombstones(t *testing.T) {
	w := &wall{storetest.FirstStart}
	path := filepath.Join(t.TempDir(), "spool")
	opts := []store.Option{store.WallClock(w.now), store.MaxBytes(256 << 10)}
	s := openStore(t, path, opts...)
	first := appendWindows(t, s, storetest.StreamNames(4), 0, 20)
	if err := s.AckWindows(first); err != nil {
		t.Fatal(err)
	}
	all := appendWindows(t, s, storetest.StreamNames(4), 20, 200)
	s = reopenStore(t, s, path, opts...)
	st := s.Stats()
	if st.Fault != nil || st.Evicted == 0 {
		t.Fatalf("%+v", st)
	}
	if n := countStored(t, s); uint64(n) != st.Pending {
		t.Errorf("%d windows stored, %d pending: acknowledged ones outlived others", n, st.Pending)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 256<<10 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	// The account: every window is pending or under a tombstone.
	held := map[store.Entry]bool{}
	for _, e := range pending(t, s) {
		held[e] = true
	}
	buried := 0
	for _, e := range all {
		dead := false
		for _, b := range st.Tombstones {
			dead = dead || b.Epoch == e.Epoch && b.Stream == e.Release.Stream() && b.From <= e.Seq && e.Seq <= b.To && b.Reason == "full"
		}
		if dead {
			buried++
		}
		if dead == held[e] {
			t.Fatalf("window %s %d: pending %v, tombstone %v", e.Release.Stream(), e.Seq, held[e], dead)
		}
	}
	if uint64(buried) != st.Evicted || len(st.Tombstones) != 4 {
		t.Errorf("%d buried, %d evicted, tombstones %v", buried, st.Evicted, st.Tombstones)
	}
	if n := s.PendingNotes(); len(n) != 4 || n[0].Kind != "evicted" {
		t.Errorf("notes %v", n)
	}
	a, err := s.Resend(all[0].Epoch, "stream-0", 1, 1000)
	if err != nil || len(a.Gone) != 1 || a.Last != 200 {
		t.Errorf("account %+v, %v", a, err)
	}
}

func TestADamagedFileIsKeptAsideAndAFreshOneBegun(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"cut short":      func(b []byte) []byte { return b[:len(b)/4] },
		"zeros in front": func(b []byte) []byte { return append(make([]byte, 8192), b[8192:]...) },
		"zeros behind":   func(b []byte) []byte { return append(b[:8192:8192], make([]byte, len(b)-8192)...) },
		"noise":          func(b []byte) []byte { return bytes.Repeat([]byte{0x00, 0xa5, 0x5a, 0xff}, len(b)/4) },
		"one page": func(b []byte) []byte {
			return append(b[:4*4096:4*4096], append(bytes.Repeat([]byte{0xff}, 4096), b[5*4096:]...)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "spool")
			clock := store.WallClock((&wall{storetest.FirstStart}).now)
			s := openStore(t, path, clock)
			old := appendWindows(t, s, storetest.StreamNames(3), 0, 30)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			spoiled := spoil(bytes.Clone(b))
			if err := os.WriteFile(path, spoiled, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := store.OpenReadOnly(path); err == nil {
				t.Error("read without complaint")
			}
			s = openStore(t, path, clock)
			fresh := appendWindows(t, s, storetest.StreamNames(3), 30, 31)
			if fresh[0].Epoch == old[0].Epoch || fresh[0].Seq != 1 {
				t.Errorf("goes on with %+v", fresh[0])
			}
			if n := s.PendingNotes(); len(n) != 5 || n[0].Kind != "spool_damaged" || n[3].Kind != "evicted" || n[4].Kind != "epoch" {
				t.Errorf("notes %v", n)
			}
			// Windows that can be dated stay, and other records are overwritten.
			kept, err := os.ReadFile(path + ".damaged-1")
			if release, _ := old[0].Release.MarshalBinary(); bytes.Contains(spoiled, release) != bytes.Contains(kept, release) {
				t.Errorf("the damaged file was not kept: %v", err)
			}
			if bytes.Contains(kept, bytes.Repeat([]byte{0xff}, 64)) || bytes.Contains(kept, []byte{0x00, 0xa5, 0x5a, 0xff}) {
				t.Error("pages stay that cannot be read")
			}
		})
	}
}

func TestAFileThatIsSpoiledWhileItIsOpenIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := openStore(t, path)
	appendWindows(t, s, storetest.StreamNames(3), 0, 60)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, int(info.Size())-8192), 8192); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if _, err := s.PendingWindows(100); !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	fresh := appendWindows(t, s, storetest.StreamNames(3), 60, 62)
	if st := s.Stats(); st.Fault != nil {
		t.Fatal(st.Fault)
	}
	checkEqual(t, pending(t, s), fresh)
	if st := s.Stats(); st.Evicted != 180 {
		t.Errorf("%d windows accounted as lost, want 180", st.Evicted)
	}
	if _, err := os.Stat(path + ".damaged-1"); err != nil {
		t.Error(err)
	}
	s = reopenStore(t, s, path)
	checkEqual(t, pending(t, s), fresh)
}

func TestARecordThatLostABitIsDroppedAndNotedAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := openStore(t, path)
	all := appendWindows(t, s, storetest.StreamNames(1), 0, 30)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	release, err := all[12].Release.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	hit := 0
	for i := 0; ; {
		at := bytes.Index(b[i:], release)
		if at < 0 {
			break
		}
		i += at + len(release)
		b[i-1] ^= 0x10
		hit++
	}
	if hit == 0 || os.WriteFile(path, b, 0o600) != nil {
		t.Fatal("record not found in the file")
	}
	s = openStore(t, path)
	checkEqual(t, pending(t, s), append(all[:12:12], all[13:]...))
	if n := s.PendingNotes(); len(n) != 2 || n[0].Kind != "epoch" || n[1].Kind != "record_damaged" {
		t.Errorf("notes %v", n)
	}
}

func TestACardInAnotherMachineGoesOnUnderAFreshEpoch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := openStore(t, path, store.MachineIs("a"))
	old := appendWindows(t, s, storetest.StreamNames(1), 0, 3)
	s = reopenStore(t, s, path, store.MachineIs("b"))
	fresh := appendWindows(t, s, storetest.StreamNames(1), 3, 4)
	if fresh[0].Epoch == old[0].Epoch || fresh[0].Seq != 1 {
		t.Errorf("goes on with %+v", fresh[0])
	}
	checkEqual(t, pending(t, s), append(old, fresh...))
	n := s.PendingNotes()
	if len(n) != 1 || n[0].Kind != "epoch" || n[0].Data["previous"] != old[0].Epoch {
		t.Errorf("notes %v", n)
	}
	s = reopenStore(t, s, path, store.MachineIs("b"))
	if e := appendWindows(t, s, storetest.StreamNames(1), 4, 5)[0]; e.Epoch != fresh[0].Epoch || e.Seq != 2 {
		t.Errorf("after a restart: %+v", e)
	}
}

func TestAHollowFileIsCopiedIntoASmallOne(t *testing.T) {
	w := &wall{storetest.FirstStart}
	path := filepath.Join(t.TempDir(), "spool")
	opts := []store.Option{store.WallClock(w.now), store.KeepFor(time.Hour)}
	s := openStore(t, path, opts...)
	all := appendWindows(t, s, storetest.StreamNames(50), 0, 100)
	before, err := os.Stat(path)
	if err != nil || s.AckWindows(all[:4990]) != nil {
		t.Fatal(err)
	}
	w.Time = w.Add(time.Hour + 498*time.Second) // but for the last acknowledged window, all have expired
	for i := range 3 {                          // bbolt frees what a transaction deleted when the next begins
		all = append(all, appendWindows(t, s, storetest.StreamNames(50), 100+i, 101+i)...)
	}
	after, err := os.Stat(path)
	if err != nil || after.Size() > before.Size()/4 {
		t.Errorf("%d bytes, before %d", after.Size(), before.Size())
	}
	if err := s.CheckFile(); err != nil {
		t.Error(err)
	}
	checkEqual(t, pending(t, s), all[4990:])
	s = reopenStore(t, s, path, opts...)
	checkEqual(t, pending(t, s), all[4990:])
	if left, _ := filepath.Glob(path + ".*"); len(left) != 1 || left[0] != path+".witness" {
		t.Errorf("left behind: %v", left)
	}
}

func TestAWatermarkIsTheOnlyEndWhereItIsAskedFor(t *testing.T) {
	w := &wall{storetest.FirstStart}
	path := filepath.Join(t.TempDir(), "spool")
	opts := []store.Option{store.WallClock(w.now), store.WatermarkMode(time.Minute)}
	s := openStore(t, path, opts...)
	all := appendWindows(t, s, storetest.StreamNames(1), 0, 10)
	if err := s.AckWindows(all); err != nil || len(pending(t, s)) != 0 {
		t.Fatalf("%v, %d pending after the acknowledgement", err, len(pending(t, s)))
	}
	if err := s.SetWatermark(all[0].Epoch, "stream-0", 4); err != nil {
		t.Fatal(err)
	}
	if n := s.RequeueUnconfirmed(); n != 0 {
		t.Errorf("%d windows doubted at once", n)
	}
	if n := s.RequeueUnconfirmed(); n != 6 {
		t.Errorf("%d windows doubted, want 6", n)
	}
	checkEqual(t, pending(t, s), all[4:])
	if err := s.AckWindows(all[4:]); err != nil {
		t.Fatal(err)
	}
	s = reopenStore(t, s, path, opts...)
	checkEqual(t, pending(t, s), all[4:]) // the broker's word alone did not survive
	if n := countStored(t, s); n != 6 {
		t.Errorf("%d windows stored: the confirmed ones were not freed", n)
	}
}

func TestWhatIsAskedForAfterItsWatermarkIsSentAgain(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "spool"))
	all := appendWindows(t, s, storetest.StreamNames(1), 0, 9)
	if err := s.SetWatermark(all[0].Epoch, "stream-0", 9); err != nil {
		t.Fatal(err)
	}
	a, err := s.Resend(all[0].Epoch, "stream-0", 3, 5)
	if err != nil || a.Resend != 3 {
		t.Fatalf("%+v, %v", a, err)
	}
	all = append(all[2:5:5], appendWindows(t, s, storetest.StreamNames(1), 9, 10)...)
	checkEqual(t, pending(t, s), all)
	if n := s.PendingNotes(); len(n) != 0 || countStored(t, s) != 4 {
		t.Errorf("%d windows stored, notes %v", countStored(t, s), n)
	}
}

func TestTheAccountKnowsTheLastNumbersOfEndedEpochs(t *testing.T) {
	w := &wall{storetest.FirstStart}
	path := filepath.Join(t.TempDir(), "spool")
	opts := []store.Option{store.WallClock(w.now), store.KeepFor(time.Hour)}
	var epochs []string
	var s *store.Store
	for i := range 10 {
		s = openStore(t, path, append(opts, store.MachineIs(fmt.Sprint(i)))...)
		es := appendWindows(t, s, storetest.StreamNames(2), 10*i, 10*i+3)
		epochs = append(epochs, es[0].Epoch)
		if err := s.AckWindows(es); err != nil || s.Close() != nil {
			t.Fatal(err)
		}
	}
	s = openStore(t, path, append(opts, store.MachineIs("9"))...)
	a, err := s.Resend(epochs[0], "stream-1", 2, 99)
	if err != nil || a.Resend != 2 || a.Last != 3 {
		t.Errorf("%+v, %v", a, err)
	}
	if err := s.SetWatermark(epochs[0], "stream-1", 4); err == nil {
		t.Error("a watermark beyond the end of an epoch")
	}
	if err := s.AckWindows(pending(t, s)); err != nil {
		t.Fatal(err)
	}
	w.Time = w.Add(24 * time.Hour)
	appendWindows(t, s, storetest.StreamNames(2), 17280, 17281)
	if _, err := s.Resend(epochs[0], "stream-1", 1, 99); err == nil || !strings.Contains(err.Error(), "past its retention") {
		t.Errorf("an epoch without windows: %v", err)
	}
	if a, err := s.Resend(epochs[8], "stream-1", 1, 99); err != nil || a.Resend != 0 || a.Last != 3 {
		t.Errorf("the epoch before: %+v, %v", a, err)
	}
}

func TestReadingLooksAndDoesNotTouch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := openStore(t, path)
	appendWindows(t, s, storetest.StreamNames(2), 0, 5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	r, err := store.OpenReadOnly(path)
	if err != nil || r.CheckFile() != nil || countStored(t, r) != 10 {
		t.Fatal(err)
	}
	if _, err := r.Append([]policy.Release{storetest.MakeWindow("a", 0)}); err == nil {
		t.Error("appended to a spool that is only read")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
}
