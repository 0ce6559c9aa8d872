package audit

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// findLockHolder returns the process that holds the flock(2) of an open file, by
// /proc/locks (proc_locks(5)); 0 where it is not told.
func findLockHolder(f *os.File) int {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	table, err := os.ReadFile("/proc/locks")
	if !ok || err != nil {
		return 0
	}
	return parseLockHolder(string(table), fmt.Sprintf(":%d", st.Ino))
}

// parseLockHolder returns the process of the first FLOCK whose file, device:inode, ends
// with the given text. The device is left out, because a file system in subvolumes
// tells another one.
func parseLockHolder(table, inode string) int {
	for line := range strings.Lines(table) {
		// 1: FLOCK  ADVISORY  WRITE 30092 fd:01:131073 0 EOF
		words := strings.Fields(line)
		if len(words) < 6 || words[1] != "FLOCK" || !strings.HasSuffix(words[5], inode) {
			continue
		}
		if pid, err := strconv.Atoi(words[4]); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}
