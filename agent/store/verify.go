package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"syscall"
)

// The layout of a bbolt file, version 2 (bbolt's internal/common/page.go and
// meta.go). Numbers are in the byte order of the machine: little endian on all
// that kerb runs on.
const (
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	pageHeader   = 16 // id u64, flags u16, count u16, overflow u32
	pageElement  = 16 // leaf: flags, pos, key, value u32; branch: pos, key u32, id u64
	bucketHeader = 16 // root u64, sequence u64; a root of 0: the page follows
	metaSum      = 56 // offset of the checksum in a meta
	branchPage   = 1
	leafPage     = 2
	metaPage     = 4
	bucketLeaf   = 1
	maxDepth     = 32
	maxPageBytes = 1 << 24
	noFreelist   = 1<<64 - 1 // written with NoFreelistSync, which few other programs use
)

// verifyFile reads every page of a bbolt file that its newest meta page
// reaches, before bbolt opens the file. bbolt checks pages while it opens a
// file, in a goroutine whose panic cannot be recovered, and a file that is too
// short ends the process by SIGBUS. exclusive asks for the lock of a writer;
// ErrInUse reports that another process has it.
func verifyFile(path string, exclusive bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	} else if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return verifyPages(f, info.Size())
}

// verifyPages walks the pages of a file of size bytes. Errors wrap ErrDamaged,
// but for those of the disk and ErrForeign.
func verifyPages(f io.ReaderAt, size int64) error {
	v := pageWalker{f: f, seen: map[uint64]bool{}}
	root, err := v.readMeta(size)
	if err == nil {
		err = v.checkPage(root, 0)
	}
	if err != nil && !isStorageFault(err) && !errors.Is(err, ErrForeign) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// pageWalker walks the tree of pages and refuses a page that is used twice.
type pageWalker struct {
	f    io.ReaderAt
	size uint64 // of a page
	end  uint64 // the first page that was never used
	seen map[uint64]bool
}

// readMeta returns the root page of the newer valid meta page, as bbolt does.
// The second meta page lies one page after the first, and only the first holds
// the page size: without it all sizes from 1 to 64 KiB are tried.
func (v *pageWalker) readMeta(size int64) (root uint64, err error) {
	var newest, freelist uint64
	found := false
	for _, at := range []int64{0, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16} {
		b := make([]byte, pageHeader+metaSum+8)
		if _, err := v.f.ReadAt(b, at); err != nil {
			if errors.Is(err, io.EOF) {
				continue
			}
			return 0, err
		}
		m := b[pageHeader:]
		sum := fnv.New64a()
		sum.Write(m[:metaSum])
		page := binary.LittleEndian.Uint32(m[8:])
		txid := binary.LittleEndian.Uint64(m[48:])
		switch {
		case binary.LittleEndian.Uint32(m) != boltMagic || binary.LittleEndian.Uint32(m[4:]) != boltVersion,
			sum.Sum64() != binary.LittleEndian.Uint64(m[metaSum:]),
			at != 0 && int64(page) != at,
			found && txid <= newest:
			continue
		}
		found, newest = true, txid
		v.size, v.end, root = uint64(page), binary.LittleEndian.Uint64(m[40:]), binary.LittleEndian.Uint64(m[16:])
		freelist = binary.LittleEndian.Uint64(m[32:])
	}
	switch {
	case !found:
		return 0, errors.New("no whole meta page")
	case v.size < 1<<10 || v.size&(v.size-1) != 0 || v.end > uint64(size)/v.size:
		return 0, fmt.Errorf("file of %d bytes, %d pages of %d expected", size, v.end, v.size)
	case freelist != noFreelist && (freelist < 2 || freelist >= v.end): // no program writes that
		return 0, fmt.Errorf("no freelist at page %d", freelist)
	case freelist != noFreelist:
		return 0, fmt.Errorf("%w: a bbolt file of something else", ErrForeign)
	}
	return root, nil
}

// checkPage reads a page with its overflow pages and checks its header and
// elements.
func (v *pageWalker) checkPage(id uint64, depth int) error {
	if id < 2 || id >= v.end || depth > maxDepth {
		return fmt.Errorf("no page %d", id)
	}
	b := make([]byte, v.size)
	if _, err := v.f.ReadAt(b, int64(id*v.size)); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	more := uint64(binary.LittleEndian.Uint32(b[12:]))
	if id != binary.LittleEndian.Uint64(b) || id+more >= v.end || more*v.size > maxPageBytes {
		return fmt.Errorf("page %d does not say so", id)
	}
	for i := id; i <= id+more; i++ {
		if v.seen[i] {
			return fmt.Errorf("page %d is used twice", i)
		}
		v.seen[i] = true
	}
	if more > 0 {
		b = append(b, make([]byte, more*v.size)...)
		if _, err := v.f.ReadAt(b[v.size:], int64((id+1)*v.size)); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
	}
	if err := v.checkElements(b, depth); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// checkElements checks that the keys of a page are in order, and the pages and
// buckets to which its elements refer.
func (v *pageWalker) checkElements(b []byte, depth int) error {
	flags, count := binary.LittleEndian.Uint16(b[8:]), int(binary.LittleEndian.Uint16(b[10:]))
	if flags != branchPage && flags != leafPage || flags == branchPage && count == 0 || pageHeader+count*pageElement > len(b) {
		return fmt.Errorf("flags %#x, %d elements", flags, count)
	}
	var last []byte
	for i := range count {
		at := pageHeader + i*pageElement
		key, value, err := readElement(b, at, flags == leafPage)
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
		if i > 0 && bytes.Compare(last, key) >= 0 {
			return fmt.Errorf("element %d is out of order", i)
		}
		last = key
		switch {
		case flags == branchPage:
			err = v.checkPage(binary.LittleEndian.Uint64(b[at+8:]), depth+1)
		case binary.LittleEndian.Uint32(b[at:]) == bucketLeaf:
			err = v.checkBucket(value, depth)
		case binary.LittleEndian.Uint32(b[at:]) != 0:
			err = fmt.Errorf("element %d has unknown flags", i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readElement returns key and value of the element at offset at; a branch
// element has no value.
func readElement(b []byte, at int, leaf bool) (key, value []byte, err error) {
	var pos, ksize, vsize uint64
	if leaf {
		vsize = uint64(binary.LittleEndian.Uint32(b[at+12:]))
		at += 4
	}
	pos, ksize = uint64(binary.LittleEndian.Uint32(b[at:])), uint64(binary.LittleEndian.Uint32(b[at+4:]))
	if leaf {
		at -= 4
	}
	pos += uint64(at)
	if pos+ksize+vsize > uint64(len(b)) {
		return nil, nil, errors.New("reaches beyond the page")
	}
	return b[pos : pos+ksize], b[pos+ksize : pos+ksize+vsize], nil
}

// checkBucket checks the page of a bucket, or the bucket's inline page.
func (v *pageWalker) checkBucket(value []byte, depth int) error {
	if len(value) < bucketHeader {
		return errors.New("bucket without a head")
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return v.checkPage(root, depth+1)
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader || binary.LittleEndian.Uint16(inline[8:]) != leafPage || depth > maxDepth {
		return errors.New("bucket without a page")
	}
	return v.checkElements(inline, depth+1)
}
