package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// DiskFree returns the bytes that are free for an ordinary user on the disk under the
// spool. Its error is that of statfs.
func (s *Store) DiskFree() (int64, error) {
	dir := filepath.Dir(s.path)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("disk of %s: %w", dir, err)
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil
}

// hashID returns 16 hexadecimal digits of a SHA-256, so that serial numbers are
// neither stored nor sent.
func hashID(kind string, id []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "kerb machine %s %s", kind, id)
	return hex.EncodeToString(h.Sum(nil))[:16]
}
