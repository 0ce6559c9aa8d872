// Package powercut cuts the power under the spool, ten thousand times if asked
// to. A program fills a real spool while strace records what it asks of the
// kernel: every write, truncation, sync and rename. The record is replayed up
// to any point, and from there a disk is made as a power cut may leave it:
// what was synced is there; of what was not, any sectors of 512 bytes may be,
// in any combination. The spool must open on each such disk and hold every
// window that it had taken by then.
package powercut

import (
	"math/rand/v2"
	"path/filepath"
)

const sector = 512

// op is one thing that the program asked of the kernel.
type op struct {
	kind string // write, truncate, sync, create, rename, unlink, syncdir or mark
	path string
	to   string // of a rename
	at   int64  // of a write; the size of a truncation
	data []byte // of a write or mark
}

// file is what the disk holds of a file for sure, and what it was asked since.
type file struct {
	sure    []byte
	pending []op
}

// disk is one directory with its files. The names, too, are sure only once the
// directory is synced; until then any first part of their changes may hold.
type disk struct {
	sure    map[string]*file
	now     map[string]*file
	pending []func(map[string]*file)
	lazy    bool // syncs of files do nothing: the control
}

func newDisk(lazy bool) *disk {
	return &disk{sure: map[string]*file{}, now: map[string]*file{}, lazy: lazy}
}

func (d *disk) do(o op) {
	switch f := d.now[o.path]; o.kind {
	case "write", "truncate":
		f.pending = append(f.pending, o)
	case "create":
		if f == nil { // or it was opened only
			f = &file{}
			d.change(func(names map[string]*file) { names[o.path] = f })
		}
	case "rename":
		d.change(func(names map[string]*file) {
			names[o.to] = names[o.path]
			delete(names, o.path)
		})
	case "unlink":
		d.change(func(names map[string]*file) { delete(names, o.path) })
	case "sync":
		if !d.lazy {
			for _, p := range f.pending {
				f.sure = apply(f.sure, p, nil)
			}
			f.pending = nil
		}
	case "syncdir":
		for _, c := range d.pending {
			c(d.sure)
		}
		d.pending = nil
	}
}

func (d *disk) change(c func(map[string]*file)) {
	c(d.now)
	d.pending = append(d.pending, c)
}

// cut gives the files that are left, by their names.
func (d *disk) cut(rnd *rand.Rand) map[string][]byte {
	names := map[string]*file{}
	for k, v := range d.sure {
		names[k] = v
	}
	for _, c := range d.pending[:rnd.IntN(len(d.pending)+1)] {
		c(names)
	}
	left := map[string][]byte{}
	for name, f := range names {
		b := append([]byte(nil), f.sure...)
		odds := rnd.IntN(3) // few, half or most of the sectors made it
		for _, p := range f.pending {
			b = apply(b, p, func() bool { return rnd.IntN(4) <= odds })
		}
		left[filepath.Base(name)] = b
	}
	return left
}

// apply does a write or truncation to b; of a write, only those sectors for
// which some says so. nil is all.
func apply(b []byte, o op, some func() bool) []byte {
	if o.kind == "truncate" {
		if some != nil && !some() {
			return b
		}
		return resize(b, int(o.at))
	}
	for i := 0; i < len(o.data); {
		at := int(o.at) + i
		n := min(sector-at%sector, len(o.data)-i)
		if some == nil || some() {
			if at+n > len(b) {
				b = resize(b, at+n)
			}
			copy(b[at:at+n], o.data[i:i+n])
		}
		i += n
	}
	return b
}

func resize(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n]
	}
	return append(b, make([]byte, n-len(b))...)
}
