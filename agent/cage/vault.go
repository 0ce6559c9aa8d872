package cage

import (
	"errors"
	"sync"
	"unsafe"
)

// A Vault hands out blocks of locked memory (see [Block]) to those who may not
// map memory themselves, as bytes and as numbers, and takes them back one by
// one or all at once. The zero value is ready. It may be used by several
// goroutines; what it handed out is for one at a time.
type Vault struct {
	mu     sync.Mutex
	blocks map[uintptr]*Block // by their first byte
	locked error              // of the first block that could not be locked
}

// Bytes is a block of n zero bytes, at least 1.
func (v *Vault) Bytes(n int) ([]byte, error) {
	b, err := Arena(n)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.blocks == nil {
		v.blocks = map[uintptr]*Block{}
	}
	v.blocks[address(b.mem)] = b
	if v.locked == nil {
		v.locked = b.locked
	}
	return b.mem, nil
}

// Floats is a block of n zeros, at least 1.
func (v *Vault) Floats(n int) ([]float32, error) { return view[float32](v, n) }

// Int8s is a block of n zeros, at least 1.
func (v *Vault) Int8s(n int) ([]int8, error) { return view[int8](v, n) }

// view is a block as numbers. A mapping begins at a page, so they are aligned.
func view[T any](v *Vault, n int) ([]T, error) {
	var one T
	b, err := v.Bytes(n * int(unsafe.Sizeof(one)))
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n), nil
}

// Free wipes a block that Bytes gave, and gives it back. A slice kept longer
// points nowhere. What the vault does not know is left alone.
func (v *Vault) Free(b []byte) {
	if cap(b) == 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	at := address(b[:1])
	if block := v.blocks[at]; block != nil {
		delete(v.blocks, at)
		_ = block.Close() // a mapping of our own is always unmapped: munmap(2)
	}
}

// Locked is nil when no block so far may be swapped, or says why one may.
func (v *Vault) Locked() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.locked
}

// Close wipes all blocks and gives them back. The vault can be used again.
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
