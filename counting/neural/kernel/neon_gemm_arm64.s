// The matrix product for NEON.

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// START loads a block's cursors: R6 the tile's first row, R7 the result, R19
// what is added, R16 how many tiles, R5 the step between rows.
#define START \
	MOVD p+0(FP), R0;            \
	MOVD Gemm_A(R0), R6;         \
	MOVD Gemm_AOff(R0), R17;     \
	ADD  R17<<2, R6, R6;         \
	MOVD Gemm_C(R0), R7;         \
	MOVD Gemm_COff(R0), R17;     \
	ADD  R17<<2, R7, R7;         \
	MOVD Gemm_Res(R0), R19;      \
	MOVD Gemm_ROff(R0), R17;     \
	ADD  R17<<2, R19, R19;       \
	MOVD Gemm_tiles(R0), R16;    \
	MOVD Gemm_AStep(R0), R5;     \
	LSL  $2, R5, R5

// WEIGHTS points R1 at the panel and R2 at R3 segments.
#define WEIGHTS \
	MOVD Gemm_B(R0), R1;         \
	MOVD Gemm_Segs(R0), R2;      \
	MOVD Gemm_Segs+8(R0), R3

// ROW adds one input times eight weights to the sums of a row.
#define ROW(lo, hi, a, k, b0, b1) \
	FMLAI(lo, b0, a, k);   \
	FMLAI(hi, b1, a, k)

#define PHASE(k, b0, b1) \
	ROW(0, 1, 16, k, b0, b1);    \
	ROW(2, 3, 17, k, b0, b1);    \
	ROW(4, 5, 18, k, b0, b1);    \
	ROW(6, 7, 19, k, b0, b1);    \
	ROW(8, 9, 20, k, b0, b1);    \
	ROW(10, 11, 21, k, b0, b1);  \
	ROW(12, 13, 22, k, b0, b1);  \
	ROW(14, 15, 23, k, b0, b1)

#define RES8 \
	MOVD Gemm_RStep(R0), R20;  \
	LSL  $2, R20, R20;         \
	MOVD R19, R17;             \
	PLUS(0, 1);   PLUS(2, 3);   PLUS(4, 5);   PLUS(6, 7); \
	PLUS(8, 9);   PLUS(10, 11); PLUS(12, 13); PLUS(14, 15)

// func gemm128x8(p *Gemm)
// Eight rows by 8 columns: V0-V15 sums, two to a row; V16-V23 four inputs of
// each row, V24-V31 their weights. Loads for the next four inputs stand
// between the multiplications.
TEXT ·gemm128x8(SB), NOSPLIT, $256-8
	START

tile:
	WEIGHTS
	MOVD Gemm_Bias(R0), R17
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

segment:
	MOVD.P 8(R2), R17
	ADD    R17<<2, R6, R8
	ADD    R5, R8, R9
	ADD    R5, R9, R10
	ADD    R5, R10, R11
	ADD    R5, R11, R12
	ADD    R5, R12, R13
	ADD    R5, R13, R14
	ADD    R5, R14, R15
	MOVD   Gemm_SegLen(R0), R20
	LSR    $2, R20, R4
	AND    $3, R20, R20
	CBZ    R4, ones
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	VLD1.P 16(R8), [V16.S4]
	VLD1.P 16(R9), [V17.S4]
	VLD1.P 16(R10), [V18.S4]
	VLD1.P 16(R11), [V19.S4]
	VLD1.P 16(R12), [V20.S4]
	VLD1.P 16(R13), [V21.S4]
	VLD1.P 16(R14), [V22.S4]
	VLD1.P 16(R15), [V23.S4]
	VLD1.P 64(R1), [V28.S4, V29.S4, V30.S4, V31.S4]
	SUBS   $1, R4, R4
	BEQ    last

four:
	PHASE(0, 24, 25)
	VLD1.P 32(R1), [V24.S4, V25.S4]
	PHASE(1, 26, 27)
	VLD1.P 32(R1), [V26.S4, V27.S4]
	PHASE(2, 28, 29)
	VLD1.P 32(R1), [V28.S4, V29.S4]
	ROW(0, 1, 16, 3, 30, 31)
	VLD1.P 16(R8), [V16.S4]
	ROW(2, 3, 17, 3, 30, 31)
	VLD1.P 16(R9), [V17.S4]
	ROW(4, 5, 18, 3, 30, 31)
	VLD1.P 16(R10), [V18.S4]
	ROW(6, 7, 19, 3, 30, 31)
	VLD1.P 16(R11), [V19.S4]
	ROW(8, 9, 20, 3, 30, 31)
	VLD1.P 16(R12), [V20.S4]
	ROW(10, 11, 21, 3, 30, 31)
	VLD1.P 16(R13), [V21.S4]
	ROW(12, 13, 22, 3, 30, 31)
	VLD1.P 16(R14), [V22.S4]
	ROW(14, 15, 23, 3, 30, 31)
	VLD1.P 16(R15), [V23.S4]
	VLD1.P 32(R1), [V30.S4, V31.S4]
	SUBS   $1, R4, R4
	BNE    four

last:
	PHASE(0, 24, 25)
	PHASE(1, 26, 27)
	PHASE(2, 28, 29)
	PHASE(3, 30, 31)

ones:
	CBZ R20, next

one:
	FMOVS.P 4(R8), F16
	FMOVS.P 4(R9), F17
	FMOVS.P 4(R10), F18
	FMOVS.P 4(R11), F19
	FMOVS.P 4(R12), F20
	FMOVS.P 4(R13), F21
	FMOVS.P 4(R14), F22
	FMOVS.P 4(R15), F23
	VLD1.P  32(R1), [V24.S4, V25.S4]
	PHASE(0, 24, 25)
	SUBS    $1, R20, R20
	BNE     one

next:
	SUBS $1, R3, R3
	BNE  segment

	MOVD  Gemm_Res+8(R0), R17
	CBZ   R17, act
	MOVBU Gemm_Before(R0), R17
	CBZ   R17, act
	RES8

act:
	ACT16(Gemm_Act)
	MOVD  Gemm_Res+8(R0), R17
	CBZ   R17, store
	MOVBU Gemm_Before(R0), R17
	CBNZ  R17, store
	RES8

store:
	MOVD   Gemm_CStep(R0), R20
	LSL    $2, R20, R20
	VST1.P [V0.S4, V1.S4], (R7)(R20)
	VST1.P [V2.S4, V3.S4], (R7)(R20)
	VST1.P [V4.S4, V5.S4], (R7)(R20)
	VST1.P [V6.S4, V7.S4], (R7)(R20)
	VST1.P [V8.S4, V9.S4], (R7)(R20)
	VST1.P [V10.S4, V11.S4], (R7)(R20)
	VST1.P [V12.S4, V13.S4], (R7)(R20)
	VST1.P [V14.S4, V15.S4], (R7)(R20)
	MOVD   Gemm_RStep(R0), R20
	ADD    R20<<5, R19, R19
	ADD    R5<<3, R6, R6
	SUBS   $1, R16, R16
	BNE    tile
	RET

// func gemm128x1(p *Gemm)
// One row by 8 columns, for a block of fewer rows than a tile.
TEXT ·gemm128x1(SB), NOSPLIT, $0-8
	START

tile:
	WEIGHTS
	MOVD Gemm_Bias(R0), R17
	VLD1 (R17), [V0.S4, V1.S4]

segment:
	MOVD.P 8(R2), R17
	ADD    R17<<2, R6, R8
	MOVD   Gemm_SegLen(R0), R4

one:
	FMOVS.P 4(R8), F16
	VLD1.P  32(R1), [V24.S4, V25.S4]
	ROW(0, 1, 16, 0, 24, 25)
	SUBS    $1, R4, R4
	BNE     one
	SUBS    $1, R3, R3
	BNE     segment

	MOVD  R19, R17
	MOVD  $0, R20
	MOVD  Gemm_Res+8(R0), R21
	CBZ   R21, act
	MOVBU Gemm_Before(R0), R21
	CBZ   R21, act
	PLUS(0, 1)

act:
	ACT(Gemm_Act, ALL2)
	MOVD  R19, R17
	MOVD  Gemm_Res+8(R0), R21
	CBZ   R21, store
	MOVBU Gemm_Before(R0), R21
	CBNZ  R21, store
	PLUS(0, 1)

store:
	MOVD   Gemm_CStep(R0), R20
	LSL    $2, R20, R20
	VST1.P [V0.S4, V1.S4], (R7)(R20)
	MOVD   Gemm_RStep(R0), R20
	ADD    R20<<2, R19, R19
	ADD    R5, R6, R6
	SUBS   $1, R16, R16
	BNE    tile
	RET
