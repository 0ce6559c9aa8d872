package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Disk is the state of the disk under the spool.
type Disk struct {
	Free int64  // bytes free to this user
	Life string // used life in tenths as eMMC reports it (JEDEC JESD84-B51, EXT_CSD 268/269), "" if unknown
}

// Disk asks the kernel about the disk under the spool.
func (s *Store) Disk() (Disk, error) {
	dir := filepath.Dir(s.path)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return Disk{}, fmt.Errorf("disk of %s: %w", dir, err)
	}
	d := Disk{Free: int64(fs.Bavail) * int64(fs.Bsize)}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return d, nil
	}
	dev := uint64(st.Dev)
	block := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(dev), unix.Minor(dev))
	for _, up := range []string{"device/life_time", "../device/life_time"} {
		if b, err := os.ReadFile(filepath.Join(block, up)); err == nil {
			d.Life = strings.TrimSpace(string(b))
			break
		}
	}
	return d, nil
}

// hashID keeps serial numbers off the disk and off the wire.
func hashID(kind string, id []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "kerb machine %s %s", kind, id)
	return hex.EncodeToString(h.Sum(nil))[:16]
}
