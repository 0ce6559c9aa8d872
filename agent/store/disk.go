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

// Disk is the condition of the disk under the spool.
type Disk struct {
	Free int64  // bytes free for an ordinary user
	Life string // used life in steps of 10 %, as eMMC reports it (JEDEC JESD84-B51, EXT_CSD 268/269); "" if unknown
}

// DiskState returns the free space from statfs and the used life from sysfs. Its
// error is that of statfs.
func (s *Store) DiskState() (Disk, error) {
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

// hashID returns 16 hexadecimal digits of a SHA-256, so that serial numbers are
// neither stored nor sent.
func hashID(kind string, id []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "kerb machine %s %s", kind, id)
	return hex.EncodeToString(h.Sum(nil))[:16]
}
