#include "textflag.h"

// The transform of idct.go, with SSE2, which every amd64 has. Rows are 8 lanes
// of 16 bits; two of them interleaved and PMADDWL give a·x+b·y in 32 bits, so
// each output is the sum of four such pairs. Every product and sum is the same
// modulo 2³² as in Go, and so is every rounding: the results are equal for
// whatever input.

#define PAIR(at, a, b) \
	DATA idctConst<>+(at+0)(SB)/2, $a; DATA idctConst<>+(at+2)(SB)/2, $b; \
	DATA idctConst<>+(at+4)(SB)/2, $a; DATA idctConst<>+(at+6)(SB)/2, $b; \
	DATA idctConst<>+(at+8)(SB)/2, $a; DATA idctConst<>+(at+10)(SB)/2, $b; \
	DATA idctConst<>+(at+12)(SB)/2, $a; DATA idctConst<>+(at+14)(SB)/2, $b

// What the butterfly of idct.go does to (x0,x4), (x2,x6), (x1,x7), (x3,x5).
PAIR(0x00, 8192, 8192)    // e0
PAIR(0x10, 8192, -8192)   // e1
PAIR(0x20, 10703, 4433)   // e3
PAIR(0x30, 4433, -10704)  // e2
PAIR(0x40, 11363, 2260)   // b3
PAIR(0x50, 9633, 6437)
PAIR(0x60, 9633, -6436)   // b2
PAIR(0x70, -2259, -11362)
PAIR(0x80, 6437, 9633)    // b1
PAIR(0x90, -11362, 2261)
PAIR(0xa0, 2260, -11363)  // b0
PAIR(0xb0, -6436, 9633)
GLOBL idctConst<>(SB), RODATA|NOPTR, $0xc0

DATA idctRound<>+0x00(SB)/4, $0x00000400 // round1
DATA idctRound<>+0x04(SB)/4, $0x00000400
DATA idctRound<>+0x08(SB)/4, $0x00000400
DATA idctRound<>+0x0c(SB)/4, $0x00000400
DATA idctRound<>+0x10(SB)/4, $0x02020000 // round2
DATA idctRound<>+0x14(SB)/4, $0x02020000
DATA idctRound<>+0x18(SB)/4, $0x02020000
DATA idctRound<>+0x1c(SB)/4, $0x02020000
GLOBL idctRound<>(SB), RODATA|NOPTR, $0x20

// INTERLEAVE leaves the upper four pairs of x and y in x, the lower in lo.
#define INTERLEAVE(x, y, lo) \
	MOVO      x, lo; \
	PUNPCKLWL y, lo; \
	PUNPCKHWL y, x

// ODD adds the odd part of one pair of outputs to a: y = a+b, a = a-b.
#define ODD(p17, p35, at, a, y, t, shift) \
	MOVO    p17, t; \
	PMADDWL idctConst<>+at(SB), t; \
	MOVO    p35, y; \
	PMADDWL idctConst<>+(at+16)(SB), y; \
	PADDL   y, t; \
	MOVO    a, y; \
	PADDL   t, y; \
	PSUBL   t, a; \
	PSRAL   $shift, y; \
	PSRAL   $shift, a

// HALF is the butterfly on four lanes. Its outputs are packed to 16 bits:
// o0 = y0 y4, o1 = y1 y5, o2 = y2 y6, o3 = y3 y7. All other registers are spent.
#define HALF(p04, p26, p17, p35, round, shift, t0, t1, t2, t3, o0, o1, o2, o3) \
	MOVO     p04, t0; \
	PMADDWL  idctConst<>+0x00(SB), t0; \
	PMADDWL  idctConst<>+0x10(SB), p04; \
	PADDL    idctRound<>+round(SB), t0; \
	PADDL    idctRound<>+round(SB), p04; \
	MOVO     p26, t1; \
	PMADDWL  idctConst<>+0x20(SB), t1; \
	PMADDWL  idctConst<>+0x30(SB), p26; \
	MOVO     t0, t2; \
	PADDL    t1, t0; \
	PSUBL    t1, t2; \
	MOVO     p04, t3; \
	PADDL    p26, p04; \
	PSUBL    p26, t3; \
	ODD(p17, p35, 0x40, t0, o0, t1, shift); \
	ODD(p17, p35, 0x60, p04, o1, t1, shift); \
	ODD(p17, p35, 0x80, t3, o2, t1, shift); \
	ODD(p17, p35, 0xa0, t2, o3, t1, shift); \
	PACKSSLW t2, o0; \
	PACKSSLW t3, o1; \
	PACKSSLW p04, o2; \
	PACKSSLW t0, o3

// TURN transposes what HALF left: the results are in b0, b1, b3, t.
#define TURN(b0, b1, b2, b3, t) \
	MOVO       b0, t; \
	PUNPCKLWL  b1, b0; \
	PUNPCKHWL  b1, t; \
	MOVO       b2, b1; \
	PUNPCKLWL  b3, b2; \
	PUNPCKHWL  b3, b1; \
	MOVO       b0, b3; \
	PUNPCKLLQ  b2, b0; \
	PUNPCKHLQ  b2, b3; \
	MOVO       t, b2; \
	PUNPCKLLQ  b1, t; \
	PUNPCKHLQ  b1, b2; \
	MOVO       b0, b1; \
	PUNPCKLQDQ t, b0; \
	PUNPCKHQDQ t, b1; \
	MOVO       b3, t; \
	PUNPCKLQDQ b2, b3; \
	PUNPCKHQDQ b2, t

// STORE writes four rows of 16-bit samples as bytes.
#define STORE(r0, r1, r2, r3) \
	PACKUSWB r1, r0; \
	PACKUSWB r3, r2; \
	MOVQ     r0, (DI); \
	MOVHPS   r0, (DI)(CX*1); \
	LEAQ     (DI)(CX*2), DI; \
	MOVQ     r2, (DI); \
	MOVHPS   r2, (DI)(CX*1); \
	LEAQ     (DI)(CX*2), DI

// func idct8(dst *byte, stride int, b *[64]int16, cols uint8)
TEXT ·idct8(SB), NOSPLIT, $0-25
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), CX
	MOVQ b+16(FP), SI
	MOVOU 0x00(SI), X0
	MOVOU 0x10(SI), X1
	MOVOU 0x20(SI), X2
	MOVOU 0x30(SI), X3
	MOVOU 0x40(SI), X4
	MOVOU 0x50(SI), X5
	MOVOU 0x60(SI), X6
	MOVOU 0x70(SI), X7

	INTERLEAVE(X0, X4, X8)
	INTERLEAVE(X2, X6, X9)
	INTERLEAVE(X1, X7, X10)
	INTERLEAVE(X3, X5, X11)
	HALF(X8, X9, X10, X11, 0x00, 11, X4, X5, X6, X7, X12, X13, X14, X15)
	TESTB $0xf0, cols+24(FP)
	JZ    narrow
	HALF(X0, X2, X1, X3, 0x00, 11, X4, X5, X6, X7, X8, X9, X10, X11)
	TURN(X12, X13, X14, X15, X0)
	TURN(X8, X9, X10, X11, X1)
	JMP   rows

narrow: // columns 4 to 7 are all 0, and so are their outputs
	TURN(X12, X13, X14, X15, X0)
	PXOR X8, X8
	PXOR X9, X9
	PXOR X11, X11
	PXOR X1, X1

rows:
	// The rows are now X12 X13 X15 X0, X8 X9 X11 X1.
	INTERLEAVE(X12, X8, X2)
	INTERLEAVE(X15, X11, X3)
	INTERLEAVE(X13, X1, X4)
	INTERLEAVE(X0, X9, X5)
	HALF(X2, X3, X4, X5, 0x10, 18, X6, X7, X8, X9, X1, X10, X11, X14)
	HALF(X12, X15, X13, X0, 0x10, 18, X2, X3, X4, X5, X6, X7, X8, X9)
	TURN(X1, X10, X11, X14, X2)
	STORE(X1, X10, X14, X2)
	TURN(X6, X7, X8, X9, X3)
	STORE(X6, X7, X9, X3)
	RET
