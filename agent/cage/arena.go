package cage

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Block is memory outside Go's heap for what must not outlive its use: the
// collector neither moves nor copies it, it is in no core, a child process
// does not inherit it, and it is not swapped when Locked is nil. Make one with
// [Arena]. A Block is for one goroutine at a time.
type Block struct {
	mem    []byte
	locked error
}

// Arena maps a block of so many bytes, all zero, to be handed to those who
// may not map memory themselves. It works before and after Apply. That it
// cannot be locked is no error, as the limit is 8 MiB for an ordinary user
// (RLIMIT_MEMLOCK): see [Block.Locked]. An error is from mmap or madvise.
func Arena(size int) (*Block, error) {
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

// Bytes is the block, lent until Close: a slice kept longer points nowhere,
// and to touch it ends the process. After Close it is nil.
func (b *Block) Bytes() []byte { return b.mem }

// Locked is nil when the block is kept from being swapped, or says why not.
func (b *Block) Locked() error { return b.locked }

// Wipe overwrites the block with zeros.
func (b *Block) Wipe() { clear(b.mem) }

// Close wipes the block and gives it back. Closing twice is harmless.
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
