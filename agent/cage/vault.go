package cage

import (
	"errors"
	"sync"
	"unsafe"
)

// Vault allocates blocks of locked memory (see [Block]), as bytes and as
// numbers, for code that may not map memory itself, and frees them one by one
// or all at once. The zero value is ready. It may be used by several
// goroutines; a block is for one at a time.
type Vault struct {
	mu     sync.Mutex
	blocks map[uintptr]*Block // by their first byte
	locked error              // of the first block that could not be locked
}

// Bytes returns a block of n zero bytes, n at least 1. It returns the error of
// mmap.
func (v *Vault) Bytes(n int) ([]byte, error) {
	b, err := NewBlock(n)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.blocks == nil {
		v.blocks = map[uintptr]*Block{}
	}
	v.blocks[sliceAddress(b.mem)] = b
	if v.locked == nil {
		v.locked = b.locked
	}
	return b.mem, nil
}

// Floats returns a block of n zeros, n at least 1.
func (v *Vault) Floats(n int) ([]float32, error) { return allocNumbers[float32](v, n) }

// Int8s returns a block of n zeros, n at least 1.
func (v *Vault) Int8s(n int) ([]int8, error) { return allocNumbers[int8](v, n) }

// allocNumbers allocates a block as numbers. A mapping begins at a page, so
// they are aligned.
func allocNumbers[T any](v *Vault, n int) ([]T, error) {
	var one T
	b, err := v.Bytes(n * int(unsafe.Sizeof(one)))
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n), nil
}

// Free wipes and unmaps a block that Bytes returned. The slice must not be used
// after it. Other slices are ignored.
func (v *Vault) Free(b []byte) {
	if cap(b) == 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	at := sliceAddress(b[:1])
	if block := v.blocks[at]; block != nil {
		delete(v.blocks, at)
		_ = block.Close() // a mapping of our own is always unmapped: munmap(2)
	}
}

// LockError returns nil when no block so far can be swapped, or the error of
// mlock.
func (v *Vault) LockError() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.locked
}

// Close wipes and unmaps all blocks. The vault can be used again.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var errs []error
	for _, b := range v.blocks {
		errs = append(errs, b.Close())
	}
	v.blocks = nil
	return errors.Join(errs...)
}
