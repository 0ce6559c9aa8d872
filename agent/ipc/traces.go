package ipc

// stackPart is the part of a goroutine's stack that WithoutTraces overwrites, below its
// caller. A tally has 0.5 kB, and is copied from function to function in a few of them.
// Chosen by hand.
const stackPart = 32 << 10

// WithoutTraces calls f and then overwrites the part of the stack that f has used. A value
// that is passed to a function is copied there, and stays until another one takes its place:
// an exact count would be in memory after its window for as long as its goroutine waits.
// Before f the stack grows to its size, because a stack that grows later leaves a copy. So
// does one that the garbage collector shrinks while f runs, which takes microseconds.
func WithoutTraces(f func()) {
	overwriteStack()
	f()
	overwriteStack()
}

//go:noinline
func overwriteStack() {
	var b [stackPart]byte
	fillZero(&b)
}

// fillZero keeps the compiler from leaving the array out.
//
//go:noinline
func fillZero(b *[stackPart]byte) { clear(b[:]) }
