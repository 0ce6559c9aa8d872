// Package powercut simulates power cuts under the spool, ten thousand of them
// in a long run. A program fills a real spool while strace records its system
// calls: every write, truncation, sync and rename. The record is replayed up to
// any point, and from there a disk is built as a power cut may leave it: synced
// data is there; of the rest, any sectors of 512 bytes may be, in any
// combination. The spool must open on each such disk and hold every window that
// it had accepted by then. The model does not cover sectors that are written in
// part, or damage to synced data. A record with a short write is refused.
package powercut

import (
	"math/rand/v2"
	"path/filepath"
)

// sectorSize is the unit that a disk writes whole, bytes.
const sectorSize = 512

// syscallOp is one recorded system call.
type syscallOp struct {
	kind string // write, truncate, sync, create, rename, unlink, syncdir or mark
	path string
	to   string // of a rename
	at   int64  // of a write; the size of a truncation
	data []byte // of a write or mark
}

// diskFile holds a file's durable content, and the calls since its last sync.
type diskFile struct {
	durable []byte
	pending []syscallOp
}

// disk is one directory with its files. Names, too, are durable only once the
// directory is synced; until then any prefix of their changes may hold.
type disk struct {
	durable    map[string]*diskFile
	current    map[string]*diskFile
	pending    []func(map[string]*diskFile)
	ignoreSync bool // control experiment: syncs of files have no effect
}

// newDisk returns an empty disk. With ignoreSync a sync of a file has no
// effect: the control experiment, which must lose windows.
func newDisk(lazy bool) *disk {
	return &disk{durable: map[string]*diskFile{}, current: map[string]*diskFile{}, ignoreSync: lazy}
}

// applyOp applies one system call.
func (d *disk) applyOp(o syscallOp) {
	switch f := d.current[o.path]; o.kind {
	case "write", "truncate":
		f.pending = append(f.pending, o)
	case "create":
		if f == nil { // otherwise it was only opened
			f = &diskFile{}
			d.changeNames(func(names map[string]*diskFile) { names[o.path] = f })
		}
	case "rename":
		d.changeNames(func(names map[string]*diskFile) {
			names[o.to] = names[o.path]
			delete(names, o.path)
		})
	case "unlink":
		d.changeNames(func(names map[string]*diskFile) { delete(names, o.path) })
	case "sync":
		if !d.ignoreSync {
			for _, p := range f.pending {
				f.durable = applyWrite(f.durable, p, nil)
			}
			f.pending = nil
		}
	case "syncdir":
		for _, c := range d.pending {
			c(d.durable)
		}
		d.pending = nil
	}
}

// changeNames applies a change to the current names, and keeps it until the
// next sync of the directory.
func (d *disk) changeNames(c func(map[string]*diskFile)) {
	c(d.current)
	d.pending = append(d.pending, c)
}

// cutPower returns the files that a power cut leaves, by name, with a random
// choice of the unsynced changes.
func (d *disk) cutPower(rnd *rand.Rand) map[string][]byte {
	names := map[string]*diskFile{}
	for k, v := range d.durable {
		names[k] = v
	}
	for _, c := range d.pending[:rnd.IntN(len(d.pending)+1)] {
		c(names)
	}
	left := map[string][]byte{}
	for name, f := range names {
		b := append([]byte(nil), f.durable...)
		odds := rnd.IntN(3) // a quarter, half or three quarters of the sectors were written
		for _, p := range f.pending {
			b = applyWrite(b, p, func() bool { return rnd.IntN(4) <= odds })
		}
		left[filepath.Base(name)] = b
	}
	return left
}

// applyWrite applies a write or truncation to b; of a write, only the sectors
// for which some returns true. nil means all.
func applyWrite(b []byte, o syscallOp, some func() bool) []byte {
	if o.kind == "truncate" {
		if some != nil && !some() {
			return b
		}
		return resizeFile(b, int(o.at))
	}
	for i := 0; i < len(o.data); {
		at := int(o.at) + i
		n := min(sectorSize-at%sectorSize, len(o.data)-i)
		if some == nil || some() {
			if at+n > len(b) {
				b = resizeFile(b, at+n)
			}
			copy(b[at:at+n], o.data[i:i+n])
		}
		i += n
	}
	return b
}

// resizeFile truncates b or extends it with zeros.
func resizeFile(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n]
	}
	return append(b, make([]byte, n-len(b))...)
}
