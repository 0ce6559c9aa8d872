package cage

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Block is memory outside Go's heap for data that must not outlive its use: the
// garbage collector neither moves nor copies it, it is in no core dump, a child
// process does not inherit it, and it is not swapped unless mlock failed. A
// Block is for one goroutine at a time.
type Block struct {
	mem    []byte
	locked error
}

// NewBlock maps a block of so many bytes, all zero, for code that may not map
// memory itself. It works before and after Apply. A block that cannot be locked
// is not an error, because the limit is 8 MiB for an ordinary user
// (RLIMIT_MEMLOCK): the Block reports it. The error is that of mmap or madvise.
func NewBlock(size int) (*Block, error) {
	if size < 1 {
		return nil, fmt.Errorf("arena of %d bytes: must be at least 1", size)
	}
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("arena of %d bytes: mmap: %w", size, err)
	}
	for _, a := range []struct {
		name   string
		advice int
	}{
		{"MADV_DONTDUMP", unix.MADV_DONTDUMP}, {"MADV_DONTFORK", unix.MADV_DONTFORK},
	} {
		if err := unix.Madvise(mem, a.advice); err != nil {
			_ = unix.Munmap(mem)
			return nil, fmt.Errorf("arena of %d bytes: madvise(%s): %w", size, a.name, err)
		}
	}
	b := &Block{mem: mem}
	if err := unix.Mlock(mem); err != nil {
		b.locked = fmt.Errorf("arena of %d bytes is not locked and may be swapped: %w", size, err)
	}
	return b, nil
}

// Bytes returns the block, which is valid until Close: an access to it after
// that ends the process. After Close it returns nil.
func (b *Block) Bytes() []byte { return b.mem }

// LockError returns nil when the block cannot be swapped, or the error of mlock.
func (b *Block) LockError() error { return b.locked }

// Wipe overwrites the block with zeros.
func (b *Block) Wipe() { clear(b.mem) }

// Close wipes and unmaps the block. A second Close has no effect.
func (b *Block) Close() error {
	if b.mem == nil {
		return nil
	}
	b.Wipe()
	mem := b.mem
	b.mem = nil
	if err := unix.Munmap(mem); err != nil {
		return fmt.Errorf("unmap arena: %w", err)
	}
	return nil
}
