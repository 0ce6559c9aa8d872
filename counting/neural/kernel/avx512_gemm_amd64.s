// The matrix product for AVX-512.

#include "go_asm.h"
#include "textflag.h"
#include "amd64.h"
#include "avx512_amd64.h"

// Rows lie at p, p+s, p+2s where s is in R9 and 3s in R10; the next three
// follow 3s further.
#define ROWS12(p0, p1, p2, p3) \
	LEAQ (p0)(R10*1), p1; \
	LEAQ (p1)(R10*1), p2; \
	LEAQ (p2)(R10*1), p3

// The accumulators of row i are Z(2i) and Z(2i+1).
#define FMA2(addr, t, lo, hi) \
	VBROADCASTSS addr, t;      \
	VFMADD231PS  Z24, t, lo;   \
	VFMADD231PS  Z25, t, hi

#define LOAD2(addr, hiaddr, lo, hi) \
	VADDPS    addr, lo, lo;        \
	VMOVUPS.Z hiaddr, K1, Z24;     \
	VADDPS    Z24, hi, hi

#define STORE2(addr, hiaddr, lo, hi) \
	VMOVUPS lo, addr;      \
	VMOVUPS hi, K1, hiaddr

#define TWELVE2(F) \
	F((AX), 64(AX), Z0, Z1);                                \
	F((AX)(R9*1), 64(AX)(R9*1), Z2, Z3);                    \
	F((AX)(R9*2), 64(AX)(R9*2), Z4, Z5);                    \
	F((BX), 64(BX), Z6, Z7);                                \
	F((BX)(R9*1), 64(BX)(R9*1), Z8, Z9);                    \
	F((BX)(R9*2), 64(BX)(R9*2), Z10, Z11);                  \
	F((CX), 64(CX), Z12, Z13);                              \
	F((CX)(R9*1), 64(CX)(R9*1), Z14, Z15);                  \
	F((CX)(R9*2), 64(CX)(R9*2), Z16, Z17);                  \
	F((DX), 64(DX), Z18, Z19);                              \
	F((DX)(R9*1), 64(DX)(R9*1), Z20, Z21);                  \
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

// COLUMNS sets K1 to the columns of the last vector.
#define COLUMNS \
	MOVQ  Gemm_mask(DI), CX;      \
	MOVQ  $1, AX;                 \
	SHLQ  CX, AX;                 \
	DECQ  AX;                     \
	KMOVW AX, K1

// func gemm512x32(p *Gemm)
// Twelve rows by 32 columns: Z0-Z23 sums, Z24-Z25 weights, Z26-Z29 inputs.
TEXT ·gemm512x32(SB), NOSPLIT, $24-8
	START
	COLUMNS

tile:
	STEPS(Gemm_AStep)
	MOVQ    Gemm_B(DI), SI
	MOVQ    Gemm_Segs(DI), R11
	MOVQ    Gemm_Segs+8(DI), R12
	MOVQ    Gemm_Bias(DI), AX
	VMOVUPS (AX), Z0
	VMOVUPS 64(AX), Z1
	VMOVAPS Z0, Z2
	VMOVAPS Z1, Z3
	VMOVAPS Z0, Z4
	VMOVAPS Z1, Z5
	VMOVAPS Z0, Z6
	VMOVAPS Z1, Z7
	VMOVAPS Z0, Z8
	VMOVAPS Z1, Z9
	VMOVAPS Z0, Z10
	VMOVAPS Z1, Z11
	VMOVAPS Z0, Z12
	VMOVAPS Z1, Z13
	VMOVAPS Z0, Z14
	VMOVAPS Z1, Z15
	VMOVAPS Z0, Z16
	VMOVAPS Z1, Z17
	VMOVAPS Z0, Z18
	VMOVAPS Z1, Z19
	VMOVAPS Z0, Z20
	VMOVAPS Z1, Z21
	VMOVAPS Z0, Z22
	VMOVAPS Z1, Z23

segment:
	SEGMENT
	ROWS12(AX, BX, CX, DX)

depth:
	VMOVUPS (SI), Z24
	VMOVUPS 64(SI), Z25
	FMA2((AX), Z26, Z0, Z1)
	FMA2((AX)(R9*1), Z27, Z2, Z3)
	FMA2((AX)(R9*2), Z28, Z4, Z5)
	FMA2((BX), Z29, Z6, Z7)
	FMA2((BX)(R9*1), Z26, Z8, Z9)
	FMA2((BX)(R9*2), Z27, Z10, Z11)
	FMA2((CX), Z28, Z12, Z13)
	FMA2((CX)(R9*1), Z29, Z14, Z15)
	FMA2((CX)(R9*2), Z26, Z16, Z17)
	FMA2((DX), Z27, Z18, Z19)
	FMA2((DX)(R9*1), Z28, Z20, Z21)
	FMA2((DX)(R9*2), Z29, Z22, Z23)
	ADDQ    $128, SI
	ADDQ    R14, AX
	ADDQ    R14, BX
	ADDQ    R14, CX
	ADDQ    R14, DX
	DECQ    R13
	JNZ     depth
	ADDQ    $8, R11
	DECQ    R12
	JNZ     segment

	CMPQ    Gemm_Res+8(DI), $0
	JEQ     act
	CMPB    Gemm_Before(DI), $0
	JEQ     act
	STEPS(Gemm_RStep)
	MOVQ    r-16(SP), AX
	ROWS12(AX, BX, CX, DX)
	TWELVE2(LOAD2)

act:
	ACT(Gemm_Act, ALL24)

	CMPQ    Gemm_Res+8(DI), $0
	JEQ     store
	CMPB    Gemm_Before(DI), $0
	JNE     store
	STEPS(Gemm_RStep)
	MOVQ    r-16(SP), AX
	ROWS12(AX, BX, CX, DX)
	TWELVE2(LOAD2)

store:
	STEPS(Gemm_CStep)
	MOVQ    c-8(SP), AX
	ROWS12(AX, BX, CX, DX)
	TWELVE2(STORE2)
	LEAQ    (DX)(R10*1), DX
	MOVQ    DX, c-8(SP)
	STEPS(Gemm_RStep)
	SHLQ    $2, R10
	ADDQ    R10, r-16(SP)
	STEPS(Gemm_AStep)
	LEAQ    (R8)(R10*4), R8
	DECQ    tiles-24(SP)
	JNZ     tile
	VZEROUPPER
	RET

// func gemm512x16(p *Gemm)
// Twelve rows by 16 columns: Z0-Z11 sums, Z24 weights.
TEXT ·gemm512x16(SB), NOSPLIT, $24-8
	START
	COLUMNS

tile:
	STEPS(Gemm_AStep)
	MOVQ    Gemm_B(DI), SI
	MOVQ    Gemm_Segs(DI), R11
	MOVQ    Gemm_Segs+8(DI), R12
	MOVQ    Gemm_Bias(DI), AX
	VMOVUPS (AX), Z0
	VMOVAPS Z0, Z1
	VMOVAPS Z0, Z2
	VMOVAPS Z0, Z3
	VMOVAPS Z0, Z4
	VMOVAPS Z0, Z5
	VMOVAPS Z0, Z6
	VMOVAPS Z0, Z7
	VMOVAPS Z0, Z8
	VMOVAPS Z0, Z9
	VMOVAPS Z0, Z10
	VMOVAPS Z0, Z11

segment:
	SEGMENT
	ROWS12(AX, BX, CX, DX)

depth:
	VMOVUPS          (SI), Z24
	VFMADD231PS.BCST (AX), Z24, Z0
	VFMADD231PS.BCST (AX)(R9*1), Z24, Z1
	VFMADD231PS.BCST (AX)(R9*2), Z24, Z2
	VFMADD231PS.BCST (BX), Z24, Z3
	VFMADD231PS.BCST (BX)(R9*1), Z24, Z4
	VFMADD231PS.BCST (BX)(R9*2), Z24, Z5
	VFMADD231PS.BCST (CX), Z24, Z6
	VFMADD231PS.BCST (CX)(R9*1), Z24, Z7
	VFMADD231PS.BCST (CX)(R9*2), Z24, Z8
	VFMADD231PS.BCST (DX), Z24, Z9
	VFMADD231PS.BCST (DX)(R9*1), Z24, Z10
	VFMADD231PS.BCST (DX)(R9*2), Z24, Z11
	ADDQ             $64, SI
	ADDQ             R14, AX
	ADDQ             R14, BX
	ADDQ             R14, CX
	ADDQ             R14, DX
	DECQ             R13
	JNZ              depth
	ADDQ             $8, R11
	DECQ             R12
	JNZ              segment

	CMPQ Gemm_Res+8(DI), $0
	JEQ  act
	CMPB Gemm_Before(DI), $0
	JEQ  act
	STEPS(Gemm_RStep)
	MOVQ r-16(SP), AX
	ROWS12(AX, BX, CX, DX)
	TWELVE1(LOAD1)

act:
	ACT(Gemm_Act, ALL12)

	CMPQ Gemm_Res+8(DI), $0
	JEQ  store
	CMPB Gemm_Before(DI), $0
	JNE  store
	STEPS(Gemm_RStep)
	MOVQ r-16(SP), AX
	ROWS12(AX, BX, CX, DX)
	TWELVE1(LOAD1)

store:
	STEPS(Gemm_CStep)
	MOVQ c-8(SP), AX
	ROWS12(AX, BX, CX, DX)
	TWELVE1(STORE1)
	LEAQ (DX)(R10*1), DX
	MOVQ DX, c-8(SP)
	STEPS(Gemm_RStep)
	SHLQ $2, R10
	ADDQ R10, r-16(SP)
	STEPS(Gemm_AStep)
	LEAQ (R8)(R10*4), R8
	DECQ tiles-24(SP)
	JNZ  tile
	VZEROUPPER
	RET

// func gemm512x1(p *Gemm)
// One row by 16 columns, for a block of fewer rows than a tile.
TEXT ·gemm512x1(SB), NOSPLIT, $24-8
	START
	COLUMNS

tile:
	MOVQ    Gemm_B(DI), SI
	MOVQ    Gemm_Segs(DI), R11
	MOVQ    Gemm_Segs+8(DI), R12
	MOVQ    Gemm_Bias(DI), AX
	VMOVUPS (AX), Z0

segment:
	SEGMENT

depth:
	VMOVUPS          (SI), Z24
	VFMADD231PS.BCST (AX), Z24, Z0
	ADDQ             Gemm_bStep(DI), SI
	ADDQ             R14, AX
	DECQ             R13
	JNZ              depth
	ADDQ             $8, R11
	DECQ             R12
	JNZ              segment

	MOVQ r-16(SP), AX
	CMPQ Gemm_Res+8(DI), $0
	JEQ  act
	CMPB Gemm_Before(DI), $0
	JEQ  act
	LOAD1((AX), Z0)

act:
	ACT(Gemm_Act, ALL1)

	MOVQ r-16(SP), AX
	CMPQ Gemm_Res+8(DI), $0
	JEQ  store
	CMPB Gemm_Before(DI), $0
	JNE  store
	LOAD1((AX), Z0)

store:
	MOVQ c-8(SP), AX
	STORE1((AX), Z0)
	STEPS(Gemm_CStep)
	ADDQ R9, c-8(SP)
	STEPS(Gemm_RStep)
	ADDQ R9, r-16(SP)
	STEPS(Gemm_AStep)
	ADDQ R9, R8
	DECQ tiles-24(SP)
	JNZ  tile
	VZEROUPPER
	RET
