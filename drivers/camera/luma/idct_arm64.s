#include "textflag.h"

// The transform of idct.go, with NEON, which every arm64 has. Rows are 8 lanes
// of 16 bits; products with a constant are accumulated in 32 bits, four lanes
// at a time. Every product and sum is the same modulo 2³² as in Go, and so is
// every rounding: the results are equal for whatever input.

// Instructions that Go's assembler does not have, Arm ARM C7.2. q is 0 for the
// lower four lanes of n, UPPER for the upper four.
#define UPPER 0x40000000
#define LANE(m, i) ((m)<<16 | ((i)&1)<<20 | ((i)>>1&1)<<21 | ((i)>>2)<<11)
#define SADDL(q, m, n, d)     WORD $(0x0e600000 | (q) | (m)<<16 | (n)<<5 | (d))
#define SSUBL(q, m, n, d)     WORD $(0x0e602000 | (q) | (m)<<16 | (n)<<5 | (d))
#define SMULL(q, m, i, n, d)  WORD $(0x0f40a000 | (q) | LANE(m, i) | (n)<<5 | (d))
#define SMLAL(q, m, i, n, d)  WORD $(0x0f402000 | (q) | LANE(m, i) | (n)<<5 | (d))
#define SQSHRN(q, s, n, d)    WORD $(0x0f009400 | (q) | (32-(s))<<16 | (n)<<5 | (d))
#define SQSHRUN(q, s, n, d)   WORD $(0x2f008400 | (q) | (16-(s))<<16 | (n)<<5 | (d))

// What the butterfly of idct.go multiplies with, once its sums are multiplied
// out: V0 and V1; and the roundings: V2 and V3.
DATA idctConst<>+0x00(SB)/2, $11363
DATA idctConst<>+0x02(SB)/2, $9633
DATA idctConst<>+0x04(SB)/2, $6437
DATA idctConst<>+0x06(SB)/2, $2260
DATA idctConst<>+0x08(SB)/2, $-2259
DATA idctConst<>+0x0a(SB)/2, $-11362
DATA idctConst<>+0x0c(SB)/2, $-6436
DATA idctConst<>+0x0e(SB)/2, $2261
DATA idctConst<>+0x10(SB)/2, $-11363
DATA idctConst<>+0x12(SB)/2, $10703
DATA idctConst<>+0x14(SB)/2, $4433
DATA idctConst<>+0x16(SB)/2, $-10704
DATA idctConst<>+0x18(SB)/8, $0
DATA idctConst<>+0x20(SB)/8, $0x0000040000000400
DATA idctConst<>+0x28(SB)/8, $0x0000040000000400
DATA idctConst<>+0x30(SB)/8, $0x0202000002020000
DATA idctConst<>+0x38(SB)/8, $0x0202000002020000
GLOBL idctConst<>(SB), RODATA|NOPTR, $0x40

// HALF is the butterfly on four lanes of V16–V23, into four lanes of V24–V31.
#define HALF(q, round, shift) \
	SADDL(q, 20, 16, 6); \
	SSUBL(q, 20, 16, 7); \
	VSHL $13, V6.S4, V6.S4; \
	VSHL $13, V7.S4, V7.S4; \
	VADD round.S4, V6.S4, V6.S4; \
	VADD round.S4, V7.S4, V7.S4; \
	SMULL(q, 1, 1, 18, 4); \
	SMLAL(q, 1, 2, 22, 4); \
	SMULL(q, 1, 2, 18, 5); \
	SMLAL(q, 1, 3, 22, 5); \
	VADD V4.S4, V6.S4, V8.S4; \
	VSUB V4.S4, V6.S4, V11.S4; \
	VADD V5.S4, V7.S4, V9.S4; \
	VSUB V5.S4, V7.S4, V10.S4; \
	SMULL(q, 0, 0, 17, 12); \
	SMULL(q, 0, 1, 17, 13); \
	SMULL(q, 0, 2, 17, 14); \
	SMULL(q, 0, 3, 17, 15); \
	SMLAL(q, 0, 1, 19, 12); \
	SMLAL(q, 0, 4, 19, 13); \
	SMLAL(q, 0, 5, 19, 14); \
	SMLAL(q, 0, 6, 19, 15); \
	SMLAL(q, 0, 2, 21, 12); \
	SMLAL(q, 0, 5, 21, 13); \
	SMLAL(q, 0, 7, 21, 14); \
	SMLAL(q, 0, 1, 21, 15); \
	SMLAL(q, 0, 3, 23, 12); \
	SMLAL(q, 0, 6, 23, 13); \
	SMLAL(q, 0, 1, 23, 14); \
	SMLAL(q, 1, 0, 23, 15); \
	VADD V12.S4, V8.S4, V4.S4; \
	VSUB V12.S4, V8.S4, V5.S4; \
	VADD V13.S4, V9.S4, V6.S4; \
	VSUB V13.S4, V9.S4, V7.S4; \
	SQSHRN(q, shift, 4, 24); \
	SQSHRN(q, shift, 5, 31); \
	SQSHRN(q, shift, 6, 25); \
	SQSHRN(q, shift, 7, 30); \
	VADD V14.S4, V10.S4, V4.S4; \
	VSUB V14.S4, V10.S4, V5.S4; \
	VADD V15.S4, V11.S4, V6.S4; \
	VSUB V15.S4, V11.S4, V7.S4; \
	SQSHRN(q, shift, 4, 26); \
	SQSHRN(q, shift, 5, 29); \
	SQSHRN(q, shift, 6, 27); \
	SQSHRN(q, shift, 7, 28)

// ZIP interleaves a and b: the lower lanes to lo, the upper to hi.
#define ZIP(a, b, lo, hi) \
	VZIP1 b, a, lo; \
	VZIP2 b, a, hi

// ROWS writes two rows.
#define ROWS(v) \
	VST1 v.D[0], (R0); \
	ADD  R1, R0; \
	VST1 v.D[1], (R0); \
	ADD  R1, R0

// func idct8(dst *byte, stride int, b *[64]int16, cols uint8)
TEXT ·idct8(SB), NOSPLIT, $0-25
	MOVD   dst+0(FP), R0
	MOVD   stride+8(FP), R1
	MOVD   b+16(FP), R2
	MOVD   $idctConst<>(SB), R3
	VLD1   (R3), [V0.B16, V1.B16, V2.B16, V3.B16]
	VLD1.P 64(R2), [V16.H8, V17.H8, V18.H8, V19.H8]
	VLD1   (R2), [V20.H8, V21.H8, V22.H8, V23.H8]

	HALF(0, V2, 11)
	HALF(UPPER, V2, 11)

	// Transpose.
	ZIP(V24.H8, V28.H8, V4.H8, V5.H8)
	ZIP(V25.H8, V29.H8, V6.H8, V7.H8)
	ZIP(V26.H8, V30.H8, V8.H8, V9.H8)
	ZIP(V27.H8, V31.H8, V10.H8, V11.H8)
	ZIP(V4.H8, V8.H8, V24.H8, V25.H8)
	ZIP(V5.H8, V9.H8, V26.H8, V27.H8)
	ZIP(V6.H8, V10.H8, V28.H8, V29.H8)
	ZIP(V7.H8, V11.H8, V30.H8, V31.H8)
	ZIP(V24.H8, V28.H8, V16.H8, V17.H8)
	ZIP(V25.H8, V29.H8, V18.H8, V19.H8)
	ZIP(V26.H8, V30.H8, V20.H8, V21.H8)
	ZIP(V27.H8, V31.H8, V22.H8, V23.H8)

	HALF(0, V3, 16)
	HALF(UPPER, V3, 16)

	// The last two bits of the shift, and columns to rows.
	SQSHRUN(0, 2, 24, 4)
	SQSHRUN(0, 2, 25, 5)
	SQSHRUN(0, 2, 26, 6)
	SQSHRUN(0, 2, 27, 7)
	SQSHRUN(UPPER, 2, 28, 4)
	SQSHRUN(UPPER, 2, 29, 5)
	SQSHRUN(UPPER, 2, 30, 6)
	SQSHRUN(UPPER, 2, 31, 7)
	ZIP(V4.B16, V5.B16, V8.B16, V9.B16)
	ZIP(V6.B16, V7.B16, V10.B16, V11.B16)
	ZIP(V8.H8, V10.H8, V12.H8, V13.H8)
	ZIP(V9.H8, V11.H8, V14.H8, V15.H8)
	ZIP(V12.S4, V14.S4, V16.S4, V17.S4)
	ZIP(V13.S4, V15.S4, V18.S4, V19.S4)
	ROWS(V16)
	ROWS(V17)
	ROWS(V18)
	ROWS(V19)
	RET
