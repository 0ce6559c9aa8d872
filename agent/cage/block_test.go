package cage

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestArenaIsLockedAndInNoDumpAndNoChild(t *testing.T) {
	b, err := NewBlock(100_000)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if len(b.Bytes()) != 100_000 {
		t.Errorf("%d bytes, want 100000", len(b.Bytes()))
	}
	flags := flagsOf(t, b.Bytes())
	for flag, what := range map[string]string{"dd": "MADV_DONTDUMP", "dc": "MADV_DONTFORK", "lo": "mlock"} {
		if flag == "lo" && b.LockError() != nil {
			t.Log(b.LockError())
		} else if !strings.Contains(flags, " "+flag) {
			t.Errorf("no %s in the kernel's flags:%s", what, flags)
		}
	}
}

// The control: ordinary memory has none of these flags.
func TestOrdinaryMemoryIsNotSo(t *testing.T) {
	m, err := unix.Mmap(-1, 0, 100_000, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	if flags := flagsOf(t, m); strings.Contains(flags, " dd") || strings.Contains(flags, " dc") {
		t.Errorf("flags:%s", flags)
	}
}

// flagsOf finds the mapping that holds the bytes in smaps (proc_pid_smaps(5)).
func flagsOf(t *testing.T, m []byte) string {
	t.Helper()
	if emulator != "" {
		t.Skip("an emulator keeps its own mappings")
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	at, inside := uint64(sliceAddress(m)), false
	for line := range strings.Lines(string(smaps)) {
		var from, to uint64
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			inside = from <= at && at < to
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return flags
		}
	}
	t.Skip("this kernel shows no flags of mappings")
	return ""
}

func TestArenaIsWipedAndGone(t *testing.T) {
	b, err := NewBlock(4096)
	if err != nil {
		t.Fatal(err)
	}
	copy(b.Bytes(), "a face")
	runtime.GC()
	if !bytes.HasPrefix(b.Bytes(), []byte("a face")) {
		t.Error("the block does not keep what is written to it")
	}
	b.Wipe()
	if !bytes.Equal(b.Bytes(), make([]byte, 4096)) {
		t.Error("something is left after Wipe")
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	if b.Bytes() != nil {
		t.Error("the block lends its memory after Close")
	}
	b.Wipe()
}

func TestArenaOfNothingIsRefused(t *testing.T) {
	for _, size := range []int{0, -1} {
		if _, err := NewBlock(size); err == nil {
			t.Errorf("made an arena of %d bytes", size)
		}
	}
}

func TestArenaBeyondTheLimitSaysSo(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &was); err != nil {
		t.Fatal(err)
	}
	low := unix.Rlimit{Cur: 4096, Max: was.Max}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &low); err != nil {
		t.Skip(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &was)
	b, err := NewBlock(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.Bytes()[1<<20-1] = 1
	if b.LockError() == nil && unix.Geteuid() != 0 { // root is not limited
		t.Error("1 MiB is said to be locked within a limit of 4 KiB")
	}
}
