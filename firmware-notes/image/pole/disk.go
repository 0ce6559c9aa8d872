package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The partitions of a card in gokrazy's layout.
const (
	bootPartition = 1 // FAT: kernel, cmdline.txt, the folder kerb
	slotA         = 2
	slotB         = 3
	// 4 is ext4 and mounted at /perm
)

// rootPartition is the number of the partition of /, and the folder of its disk
// below /sys.
func rootPartition() (number int, disk string, err error) {
	var st unix.Stat_t
	if err := unix.Stat("/", &st); err != nil {
		return 0, "", err
	}
	dev := uint64(st.Dev)
	own, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(dev), unix.Minor(dev)))
	if err != nil {
		return 0, "", fmt.Errorf("the disk of /: %w", err)
	}
	number, err = partitionNumber(own)
	return number, filepath.Dir(own), err
}

// partitionNumber reads the number of a partition from its folder below /sys.
func partitionNumber(dir string) (int, error) {
	b, err := os.ReadFile(filepath.Join(dir, "partition"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// partitionDevice is the device file of a partition of the disk, or a name that does
// not exist.
func (s slot) partitionDevice(number int) string {
	children, _ := filepath.Glob(filepath.Join(s.disk, "*", "partition")) // the pattern is right
	for _, c := range children {
		if n, err := partitionNumber(filepath.Dir(c)); err == nil && n == number {
			return filepath.Join("/dev", filepath.Base(filepath.Dir(c)))
		}
	}
	return filepath.Join("/dev", fmt.Sprintf("no-partition-%d", number))
}

// bootMount is held while the boot partition is mounted.
var bootMount sync.Mutex

// mountBoot mounts the boot partition, read-only or so that each write is on the card
// before the call returns. done unmounts it. One mount exists at a time.
func (s slot) mountBoot(writable bool) (dir string, done func(), err error) {
	dir = filepath.Join(os.TempDir(), "card")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	flags := uintptr(unix.MS_NOEXEC | unix.MS_NODEV | unix.MS_NOSUID)
	if writable {
		flags |= unix.MS_SYNCHRONOUS | unix.MS_DIRSYNC
	} else {
		flags |= unix.MS_RDONLY
	}
	bootMount.Lock()
	if err := unix.Mount(s.partitionDevice(bootPartition), dir, "vfat", flags, ""); err != nil {
		bootMount.Unlock()
		return "", nil, fmt.Errorf("mount the boot partition: %w", err)
	}
	return dir, func() {
		_ = unix.Unmount(dir, 0)
		bootMount.Unlock()
	}, nil
}

// changeCard calls f with the folder kerb of the boot partition, which can be written
// meanwhile.
func (s slot) changeCard(f func(dir string) error) error {
	mount, done, err := s.mountBoot(true)
	if err != nil {
		return err
	}
	defer done()
	return f(filepath.Join(mount, "kerb"))
}

// Ioctls of linux/fs.h.
const (
	fibmap   = 1
	figetbsz = 2
)

// blockOffset gives the offset and length, in bytes on its partition, of a file that
// fits into one block. Other files are an error.
func blockOffset(path string) (at, length int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	var size, block int32
	for _, ask := range []struct {
		call   uintptr
		answer *int32
	}{{figetbsz, &size}, {fibmap, &block}} {
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), ask.call, uintptr(unsafe.Pointer(ask.answer))); e != 0 {
			return 0, 0, fmt.Errorf("%s: where it lies: %w", path, e)
		}
	}
	if info.Size() > int64(size) || block == 0 {
		return 0, 0, fmt.Errorf("%s: does not lie in one block", path)
	}
	return int64(block) * int64(size), info.Size(), nil
}
