package h264

import "unsafe"

// Memory provides all memory that bears a picture or anything read from one:
// Bytes returns n zero bytes, aligned to 8, which stay valid until Free, and Free
// wipes them.
type Memory interface {
	Bytes(n int) ([]byte, error)
	Free([]byte)
}

// heap is a Memory on Go's heap.
type heap struct{}

// Bytes allocates n zero bytes.
func (heap) Bytes(n int) ([]byte, error) { return make([]byte, n), nil }

// Free overwrites b.
func (heap) Free(b []byte) { clear(b) }

// carver divides one block of the caller's memory. The zero value only adds up
// the taken size, so that one function both measures and divides.
type carver struct {
	block []byte
	used  int
}

// alignment of each part, in bytes: one cache line.
const alignment = 64

// carve takes n values of a type without pointers. It returns nil while measuring.
func carve[T any](c *carver, n int) []T {
	var one T
	size := n * int(unsafe.Sizeof(one))
	at := c.used
	c.used += (size + alignment - 1) &^ (alignment - 1)
	if c.block == nil {
		return nil
	}
	part := c.block[at : at+size : at+size]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(part))), n)
}
