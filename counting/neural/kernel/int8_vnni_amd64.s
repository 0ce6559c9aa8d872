// The matrix product in bytes for AVX-512 VNNI.

#include "go_asm.h"
#include "textflag.h"
#include "amd64.h"
#include "avx512_amd64.h"

#define ROWS12(p0, p1, p2, p3) \
	LEAQ (p0)(R10*1), p1; \
	LEAQ (p1)(R10*1), p2; \
	LEAQ (p2)(R10*1), p3

// DOT2 adds four unsigned bytes of a row times four signed ones of each of 32
// columns.
#define DOT2(addr, t, lo, hi) \
	VPBROADCASTD addr, t;    \
	VPDPBUSD     Z24, t, lo; \
	VPDPBUSD     Z25, t, hi

#define DOT1(addr, x) \
	VPBROADCASTD addr, Z26; \
	VPDPBUSD     Z24, Z26, x

// SCALE2 turns sums into numbers: Z27-Z28 scales, Z29-Z30 biases.
#define SCALE2(lo, hi) \
	VCVTDQ2PS lo, lo;      \
	VCVTDQ2PS hi, hi;      \
	VMULPS    Z27, lo, lo; \
	VMULPS    Z28, hi, hi; \
	VADDPS    Z29, lo, lo; \
	VADDPS    Z30, hi, hi

#define SCALE1(x) \
	VCVTDQ2PS x, x;      \
	VMULPS    Z27, x, x; \
	VADDPS    Z29, x, x

#define LOAD2(addr, hiaddr, lo, hi) \
	VADDPS    addr, lo, lo;        \
	VMOVUPS.Z hiaddr, K1, Z24;     \
	VADDPS    Z24, hi, hi

#define STORE2(addr, hiaddr, lo, hi) \
	VMOVUPS lo, addr;      \
	VMOVUPS hi, K1, hiaddr

#define TWELVE2(F) \
	F((AX), 64(AX), Z0, Z1);                  \
	F((AX)(R9*1), 64(AX)(R9*1), Z2, Z3);      \
	F((AX)(R9*2), 64(AX)(R9*2), Z4, Z5);      \
	F((BX), 64(BX), Z6, Z7);                  \
	F((BX)(R9*1), 64(BX)(R9*1), Z8, Z9);      \
	F((BX)(R9*2), 64(BX)(R9*2), Z10, Z11);    \
	F((CX), 64(CX), Z12, Z13);                \
	F((CX)(R9*1), 64(CX)(R9*1), Z14, Z15);    \
	F((CX)(R9*2), 64(CX)(R9*2), Z16, Z17);    \
	F((DX), 64(DX), Z18, Z19);                \
	F((DX)(R9*1), 64(DX)(R9*1), Z20, Z21);    \
	F((DX)(R9*2), 64(DX)(R9*2), Z22, Z23)

#define LOAD1(addr, x) \
	VMOVUPS.Z addr, K1, Z24;  \
	VADDPS    Z24, x, x

#define STORE1(addr, x) \
	VMOVUPS x, K1, addr

#define TWELVE1(F) \
	F((AX), Z0);         \
	F((AX)(R9*1), Z1);   \
	F((AX)(R9*2), Z2);   \
	F((BX), Z3);         \
	F((BX)(R9*1), Z4);   \
	F((BX)(R9*2), Z5);   \
	F((CX), Z6);         \
	F((CX)(R9*1), Z7);   \
	F((CX)(R9*2), Z8);   \
	F((DX), Z9);         \
	F((DX)(R9*1), Z10);  \
	F((DX)(R9*2), Z11)

// BEGIN loads a block's cursors: R8 the tile's first row, c and r the places
// of the result and of what is added, K1 the columns of the last vector.
#define BEGIN \
	MOVQ  p+0(FP), DI;           \
	MOVQ  Bytes_A(DI), R8;       \
	ADDQ  Bytes_aOff(DI), R8;    \
	MOVQ  Bytes_C(DI), BX;       \
	MOVQ  Bytes_COff(DI), AX;    \
	LEAQ  (BX)(AX*4), BX;        \
	MOVQ  BX, c-8(SP);           \
	MOVQ  Bytes_Res(DI), BX;     \
	MOVQ  Bytes_ROff(DI), AX;    \
	LEAQ  (BX)(AX*4), BX;        \
	MOVQ  BX, r-16(SP);          \
	MOVQ  Bytes_tiles(DI), AX;   \
	MOVQ  AX, tiles-24(SP);      \
	MOVQ  Bytes_mask(DI), CX;    \
	MOVQ  $1, AX;                \
	SHLQ  CX, AX;                \
	DECQ  AX;                    \
	KMOVW AX, K1

// ASTEPS puts one and three rows of bytes into R9 and R10.
#define ASTEPS \
	MOVQ Bytes_aStep(DI), R9; \
	LEAQ (R9)(R9*2), R10

// FINISH adds, stores and goes on to the next tile.
#define FINISH(LOAD, STORE) \
	CMPQ Bytes_Res+8(DI), $0;    \
	JEQ  store;                  \
	STEPS(Bytes_RStep);          \
	MOVQ r-16(SP), AX;           \
	ROWS12(AX, BX, CX, DX);      \
	LOAD;                        \
store:                           \
	STEPS(Bytes_CStep);          \
	MOVQ c-8(SP), AX;            \
	ROWS12(AX, BX, CX, DX);      \
	STORE;                       \
	LEAQ (DX)(R10*1), DX;        \
	MOVQ DX, c-8(SP);            \
	STEPS(Bytes_RStep);          \
	SHLQ $2, R10;                \
	ADDQ R10, r-16(SP);          \
	ASTEPS;                      \
	LEAQ (R8)(R10*4), R8;        \
	DECQ tiles-24(SP);           \
	JNZ  tile;                   \
	VZEROUPPER;                  \
	RET

// func bytes512x32(p *Bytes)
// Twelve rows by 32 columns: Z0-Z23 sums, Z24-Z25 weights, Z26-Z29 inputs.
TEXT ·bytes512x32(SB), NOSPLIT, $24-8
	BEGIN

tile:
	ASTEPS
	MOVQ      Bytes_B(DI), SI
	MOVQ      Bytes_Depth(DI), R13
	SHRQ      $2, R13
	MOVQ      Bytes_Zero(DI), AX
	VMOVDQU32 (AX), Z0
	VMOVDQU32 64(AX), Z1
	VMOVAPS   Z0, Z2
	VMOVAPS   Z1, Z3
	VMOVAPS   Z0, Z4
	VMOVAPS   Z1, Z5
	VMOVAPS   Z0, Z6
	VMOVAPS   Z1, Z7
	VMOVAPS   Z0, Z8
	VMOVAPS   Z1, Z9
	VMOVAPS   Z0, Z10
	VMOVAPS   Z1, Z11
	VMOVAPS   Z0, Z12
	VMOVAPS   Z1, Z13
	VMOVAPS   Z0, Z14
	VMOVAPS   Z1, Z15
	VMOVAPS   Z0, Z16
	VMOVAPS   Z1, Z17
	VMOVAPS   Z0, Z18
	VMOVAPS   Z1, Z19
	VMOVAPS   Z0, Z20
	VMOVAPS   Z1, Z21
	VMOVAPS   Z0, Z22
	VMOVAPS   Z1, Z23
	MOVQ      R8, AX
	ROWS12(AX, BX, CX, DX)

depth:
	VMOVDQU32 (SI), Z24
	VMOVDQU32 64(SI), Z25
	DOT2((AX), Z26, Z0, Z1)
	DOT2((AX)(R9*1), Z27, Z2, Z3)
	DOT2((AX)(R9*2), Z28, Z4, Z5)
	DOT2((BX), Z29, Z6, Z7)
	DOT2((BX)(R9*1), Z26, Z8, Z9)
	DOT2((BX)(R9*2), Z27, Z10, Z11)
	DOT2((CX), Z28, Z12, Z13)
	DOT2((CX)(R9*1), Z29, Z14, Z15)
	DOT2((CX)(R9*2), Z26, Z16, Z17)
	DOT2((DX), Z27, Z18, Z19)
	DOT2((DX)(R9*1), Z28, Z20, Z21)
	DOT2((DX)(R9*2), Z29, Z22, Z23)
	ADDQ      $128, SI
	ADDQ      $4, AX
	ADDQ      $4, BX
	ADDQ      $4, CX
	ADDQ      $4, DX
	DECQ      R13
	JNZ       depth

	MOVQ    Bytes_Scale(DI), AX
	MOVQ    Bytes_Bias(DI), BX
	VMOVUPS (AX), Z27
	VMOVUPS 64(AX), Z28
	VMOVUPS (BX), Z29
	VMOVUPS 64(BX), Z30
	SCALE2(Z0, Z1)
	SCALE2(Z2, Z3)
	SCALE2(Z4, Z5)
	SCALE2(Z6, Z7)
	SCALE2(Z8, Z9)
	SCALE2(Z10, Z11)
	SCALE2(Z12, Z13)
	SCALE2(Z14, Z15)
	SCALE2(Z16, Z17)
	SCALE2(Z18, Z19)
	SCALE2(Z20, Z21)
	SCALE2(Z22, Z23)
	ACT(Bytes_Act, ALL24)
	FINISH(TWELVE2(LOAD2), TWELVE2(STORE2))

// func bytes512x16(p *Bytes)
// Twelve rows by 16 columns: Z0-Z11 sums, Z24 weights, Z26 inputs.
TEXT ·bytes512x16(SB), NOSPLIT, $24-8
	BEGIN

tile:
	ASTEPS
	MOVQ      Bytes_B(DI), SI
	MOVQ      Bytes_Depth(DI), R13
	SHRQ      $2, R13
	MOVQ      Bytes_Zero(DI), AX
	VMOVDQU32 (AX), Z0
	VMOVAPS   Z0, Z1
	VMOVAPS   Z0, Z2
	VMOVAPS   Z0, Z3
	VMOVAPS   Z0, Z4
	VMOVAPS   Z0, Z5
	VMOVAPS   Z0, Z6
	VMOVAPS   Z0, Z7
	VMOVAPS   Z0, Z8
	VMOVAPS   Z0, Z9
	VMOVAPS   Z0, Z10
	VMOVAPS   Z0, Z11
	MOVQ      R8, AX
	ROWS12(AX, BX, CX, DX)

depth:
	VMOVDQU32 (SI), Z24
	TWELVE1(DOT1)
	ADDQ      $64, SI
	ADDQ      $4, AX
	ADDQ      $4, BX
	ADDQ      $4, CX
	ADDQ      $4, DX
	DECQ      R13
	JNZ       depth

	MOVQ    Bytes_Scale(DI), AX
	MOVQ    Bytes_Bias(DI), BX
	VMOVUPS (AX), Z27
	VMOVUPS (BX), Z29
	ALL12(SCALE1)
	ACT(Bytes_Act, ALL12)
	FINISH(TWELVE1(LOAD1), TWELVE1(STORE1))

// func quantize512(q *Quantize)
// Sixteen numbers at a time to unsigned bytes.
TEXT ·quantize512(SB), NOSPLIT, $0-8
	MOVQ   q+0(FP), DI
	MOVQ   Quantize_Dst(DI), R8
	MOVQ   Quantize_Src(DI), R9
	MOVQ   Quantize_SrcOff(DI), AX
	LEAQ   (R9)(AX*4), R9
	MOVQ   Quantize_SrcStep(DI), R12
	SHLQ   $2, R12
	MOVQ   Quantize_DstStep(DI), R13
	MOVQ   Quantize_Rows(DI), R11
	MOVQ   Quantize_cols(DI), R10
	MOVQ   Quantize_Scale(DI), SI
	MOVQ   Quantize_Zero(DI), DX
	VPXORD Z3, Z3, Z3

row:
	XORQ AX, AX

sixteen:
	VMOVUPS   (R9)(AX*4), Z0
	VMULPS    (SI)(AX*4), Z0, Z0
	VADDPS    (DX)(AX*4), Z0, Z0
	VMAXPS    Z3, Z0, Z0
	VCVTPS2DQ Z0, Z0
	VPMOVUSDB Z0, X0
	VMOVDQU   X0, (R8)(AX*1)
	ADDQ      $16, AX
	CMPQ      AX, R10
	JLT       sixteen
	ADDQ      R12, R9
	ADDQ      R13, R8
	DECQ      R11
	JNZ       row
	VZEROUPPER
	RET
