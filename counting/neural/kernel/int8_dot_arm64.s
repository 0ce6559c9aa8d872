// The matrix product in bytes for NEON with dot products (Armv8.2 and later).

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// SDOTI adds the products of four bytes of each lane of n and of lane i of m.
#define SDOTI(d, n, m, i)  WORD $(0x4f80e000 | ((i)&1)<<21 | (m)<<16 | ((i)>>1)<<11 | (n)<<5 | (d))

#define ROW(lo, hi, a, k, b0, b1) \
	SDOTI(lo, b0, a, k);   \
	SDOTI(hi, b1, a, k)

#define PHASE(k, b0, b1) \
	ROW(0, 1, 16, k, b0, b1);    \
	ROW(2, 3, 17, k, b0, b1);    \
	ROW(4, 5, 18, k, b0, b1);    \
	ROW(6, 7, 19, k, b0, b1);    \
	ROW(8, 9, 20, k, b0, b1);    \
	ROW(10, 11, 21, k, b0, b1);  \
	ROW(12, 13, 22, k, b0, b1);  \
	ROW(14, 15, 23, k, b0, b1)

// func bytes128x8(p *Bytes)
// Eight rows by 8 columns: V0-V15 sums, two to a row; V16-V23 sixteen bytes of
// each row, V24-V31 their weights, four of the depth to a pair.
TEXT ·bytes128x8(SB), NOSPLIT, $256-8
	MOVD p+0(FP), R0
	MOVD Bytes_A(R0), R6
	MOVD Bytes_aOff(R0), R17
	ADD  R17, R6, R6
	MOVD Bytes_C(R0), R7
	MOVD Bytes_COff(R0), R17
	ADD  R17<<2, R7, R7
	MOVD Bytes_Res(R0), R19
	MOVD Bytes_ROff(R0), R17
	ADD  R17<<2, R19, R19
	MOVD Bytes_tiles(R0), R16
	MOVD Bytes_aStep(R0), R5

tile:
	MOVD Bytes_B(R0), R1
	MOVD Bytes_Depth(R0), R4
	LSR  $4, R4, R4
	MOVD Bytes_Zero(R0), R17
	VLD1 (R17), [V0.S4, V1.S4]
	MOV(2, 0)
	MOV(3, 1)
	MOV(4, 0)
	MOV(5, 1)
	MOV(6, 0)
	MOV(7, 1)
	MOV(8, 0)
	MOV(9, 1)
	MOV(10, 0)
	MOV(11, 1)
	MOV(12, 0)
	MOV(13, 1)
	MOV(14, 0)
	MOV(15, 1)
	MOVD R6, R8
	ADD  R5, R8, R9
	ADD  R5, R9, R10
	ADD  R5, R10, R11
	ADD  R5, R11, R12
	ADD  R5, R12, R13
	ADD  R5, R13, R14
	ADD  R5, R14, R15

depth:
	VLD1.P 64(R1), [V24.B16, V25.B16, V26.B16, V27.B16]
	VLD1.P 16(R8), [V16.B16]
	VLD1.P 16(R9), [V17.B16]
	VLD1.P 16(R10), [V18.B16]
	VLD1.P 16(R11), [V19.B16]
	VLD1.P 16(R12), [V20.B16]
	VLD1.P 16(R13), [V21.B16]
	VLD1.P 16(R14), [V22.B16]
	VLD1.P 16(R15), [V23.B16]
	PHASE(0, 24, 25)
	VLD1.P 64(R1), [V28.B16, V29.B16, V30.B16, V31.B16]
	PHASE(1, 26, 27)
	PHASE(2, 28, 29)
	PHASE(3, 30, 31)
	SUBS   $1, R4, R4
	BNE    depth

	MOVD Bytes_Scale(R0), R17
	VLD1 (R17), [V16.S4, V17.S4]
	MOVD Bytes_Bias(R0), R17
	VLD1 (R17), [V18.S4, V19.S4]
	SCALE(0, 1)
	SCALE(2, 3)
	SCALE(4, 5)
	SCALE(6, 7)
	SCALE(8, 9)
	SCALE(10, 11)
	SCALE(12, 13)
	SCALE(14, 15)
	ACT16(Bytes_Act)
	MOVD Bytes_Res+8(R0), R17
	CBZ  R17, store
	MOVD Bytes_RStep(R0), R20
	LSL  $2, R20, R20
	MOVD R19, R17
	PLUS(0, 1)
	PLUS(2, 3)
	PLUS(4, 5)
	PLUS(6, 7)
	PLUS(8, 9)
	PLUS(10, 11)
	PLUS(12, 13)
	PLUS(14, 15)

store:
	MOVD   Bytes_CStep(R0), R20
	LSL    $2, R20, R20
	VST1.P [V0.S4, V1.S4], (R7)(R20)
	VST1.P [V2.S4, V3.S4], (R7)(R20)
	VST1.P [V4.S4, V5.S4], (R7)(R20)
	VST1.P [V6.S4, V7.S4], (R7)(R20)
	VST1.P [V8.S4, V9.S4], (R7)(R20)
	VST1.P [V10.S4, V11.S4], (R7)(R20)
	VST1.P [V12.S4, V13.S4], (R7)(R20)
	VST1.P [V14.S4, V15.S4], (R7)(R20)
	MOVD   Bytes_RStep(R0), R20
	ADD    R20<<5, R19, R19
	ADD    R5<<3, R6, R6
	SUBS   $1, R16, R16
	BNE    tile
	RET
