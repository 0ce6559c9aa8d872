// The matrix product in bytes for NEON without dot products (Cortex-A53, A72),
// and the making of bytes.

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

#define FCVTNS(d, n)       WORD $(0x4e21a800 | (n)<<5 | (d))
#define SQXTN4(d, n)       WORD $(0x0e614800 | (n)<<5 | (d))
#define SQXTN4HI(d, n)     WORD $(0x4e614800 | (n)<<5 | (d))
#define SQXTN8(d, n)       WORD $(0x0e214800 | (n)<<5 | (d))
#define SQXTN8HI(d, n)     WORD $(0x4e214800 | (n)<<5 | (d))
#define SMULL(d, n, m)     WORD $(0x0e20c000 | (m)<<16 | (n)<<5 | (d))
#define SMULLHI(d, n, m)   WORD $(0x4e20c000 | (m)<<16 | (n)<<5 | (d))
#define SMLAL(d, n, m)     WORD $(0x0e208000 | (m)<<16 | (n)<<5 | (d))
#define SMLALHI(d, n, m)   WORD $(0x4e208000 | (m)<<16 | (n)<<5 | (d))
#define SADALP(d, n)       WORD $(0x4e606800 | (n)<<5 | (d))
#define ADDP(d, n, m)      WORD $(0x4ea0bc00 | (m)<<16 | (n)<<5 | (d))

// ROW adds eight inputs of a row, four repeated over V20 and four over V21,
// times eight columns. Two products fit 16 bits: the weights stay within ±127.
#define ROW(p, s0, s1, s2, s3) \
	VLD1R.P 4(p), [V20.S4];   \
	VLD1R.P 4(p), [V21.S4];   \
	SMULL(22, 16, 20);        \
	SMULLHI(23, 16, 20);      \
	SMULL(24, 17, 20);        \
	SMULLHI(25, 17, 20);      \
	SMLAL(22, 18, 21);        \
	SMLALHI(23, 18, 21);      \
	SMLAL(24, 19, 21);        \
	SMLALHI(25, 19, 21);      \
	SADALP(s0, 22);           \
	SADALP(s1, 23);           \
	SADALP(s2, 24);           \
	SADALP(s3, 25)

// FOLD adds each pair of sums: a row's four registers become two.
#define FOLD(lo, hi, s0, s1, s2, s3) \
	ADDP(lo, s0, s1);   \
	ADDP(hi, s2, s3);   \
	IADD(lo, lo, 26);   \
	IADD(hi, hi, 27)

// func bytes128wide(p *Bytes)
// Four rows by 8 columns: V0-V15 sums, four to a row and two to a column;
// V16-V19 weights, four of the depth to a pair; V20-V21 inputs, V22-V25
// products.
TEXT ·bytes128wide(SB), NOSPLIT, $0-8
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
	LSL  $1, R16, R16
	MOVD Bytes_aStep(R0), R5

tile:
	MOVD Bytes_B(R0), R1
	MOVD Bytes_Depth(R0), R4
	LSR  $3, R4, R4
	VEOR V0.B16, V0.B16, V0.B16
	MOV(1, 0)
	MOV(2, 0)
	MOV(3, 0)
	MOV(4, 0)
	MOV(5, 0)
	MOV(6, 0)
	MOV(7, 0)
	MOV(8, 0)
	MOV(9, 0)
	MOV(10, 0)
	MOV(11, 0)
	MOV(12, 0)
	MOV(13, 0)
	MOV(14, 0)
	MOV(15, 0)
	MOVD R6, R8
	ADD  R5, R8, R9
	ADD  R5, R9, R10
	ADD  R5, R10, R11

depth:
	VLD1.P 64(R1), [V16.B16, V17.B16, V18.B16, V19.B16]
	ROW(R8, 0, 1, 2, 3)
	ROW(R9, 4, 5, 6, 7)
	ROW(R10, 8, 9, 10, 11)
	ROW(R11, 12, 13, 14, 15)
	SUBS   $1, R4, R4
	BNE    depth

	MOVD Bytes_Zero(R0), R17
	VLD1 (R17), [V26.S4, V27.S4]
	FOLD(0, 1, 0, 1, 2, 3)
	FOLD(2, 3, 4, 5, 6, 7)
	FOLD(4, 5, 8, 9, 10, 11)
	FOLD(6, 7, 12, 13, 14, 15)
	MOVD Bytes_Scale(R0), R17
	VLD1 (R17), [V16.S4, V17.S4]
	MOVD Bytes_Bias(R0), R17
	VLD1 (R17), [V18.S4, V19.S4]
	SCALE(0, 1)
	SCALE(2, 3)
	SCALE(4, 5)
	SCALE(6, 7)
	ACT(Bytes_Act, ALL8)
	MOVD Bytes_Res+8(R0), R17
	CBZ  R17, store
	MOVD Bytes_RStep(R0), R20
	LSL  $2, R20, R20
	MOVD R19, R17
	PLUS(0, 1)
	PLUS(2, 3)
	PLUS(4, 5)
	PLUS(6, 7)

store:
	MOVD   Bytes_CStep(R0), R20
	LSL    $2, R20, R20
	VST1.P [V0.S4, V1.S4], (R7)(R20)
	VST1.P [V2.S4, V3.S4], (R7)(R20)
	VST1.P [V4.S4, V5.S4], (R7)(R20)
	VST1.P [V6.S4, V7.S4], (R7)(R20)
	MOVD   Bytes_RStep(R0), R20
	ADD    R20<<4, R19, R19
	ADD    R5<<2, R6, R6
	SUBS   $1, R16, R16
	BNE    tile
	RET

// func quantize128(q *Quantize)
// Sixteen numbers at a time to signed bytes.
TEXT ·quantize128(SB), NOSPLIT, $0-8
	MOVD q+0(FP), R0
	MOVD Quantize_Dst(R0), R8
	MOVD Quantize_Src(R0), R9
	MOVD Quantize_SrcOff(R0), R17
	ADD  R17<<2, R9, R9
	MOVD Quantize_SrcStep(R0), R12
	LSL  $2, R12, R12
	MOVD Quantize_DstStep(R0), R13
	MOVD Quantize_Rows(R0), R11

row:
	MOVD Quantize_cols(R0), R10
	MOVD Quantize_Scale(R0), R14
	MOVD Quantize_Zero(R0), R15
	MOVD R8, R16
	MOVD R9, R17

sixteen:
	VLD1.P 64(R17), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R14), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R15), [V20.S4, V21.S4, V22.S4, V23.S4]
	FMUL(0, 0, 16)
	FMUL(1, 1, 17)
	FMUL(2, 2, 18)
	FMUL(3, 3, 19)
	FADD(0, 0, 20)
	FADD(1, 1, 21)
	FADD(2, 2, 22)
	FADD(3, 3, 23)
	FCVTNS(0, 0)
	FCVTNS(1, 1)
	FCVTNS(2, 2)
	FCVTNS(3, 3)
	SQXTN4(4, 0)
	SQXTN4(5, 2)
	SQXTN4HI(4, 1)
	SQXTN4HI(5, 3)
	SQXTN8(6, 4)
	SQXTN8HI(6, 5)
	VST1.P [V6.B16], 16(R16)
	SUBS   $16, R10, R10
	BGT    sixteen
	ADD    R12, R9, R9
	ADD    R13, R8, R8
	SUBS   $1, R11, R11
	BNE    row
	RET
