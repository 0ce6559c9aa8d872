// The matrix product for AVX2 and FMA.

#include "go_asm.h"
#include "textflag.h"
#include "amd64.h"
#include "avx2_amd64.h"

// KEEP sets Y15 to the columns of the last vector.
#define KEEP \
	LEAQ    keep<>+32(SB), AX;    \
	MOVQ    Gemm_mask(DI), CX;    \
	SHLQ    $2, CX;               \
	SUBQ    CX, AX;               \
	VMOVUPS (AX), Y15

// The sums of row i are Y(2i) and Y(2i+1), or Yi.
#define FMA2(addr, t, lo, hi) \
	VBROADCASTSS addr, t;    \
	VFMADD231PS  Y12, t, lo; \
	VFMADD231PS  Y13, t, hi

#define FMA1(addr, t, x) \
	VBROADCASTSS addr, t;    \
	VFMADD231PS  Y12, t, x

#define LOAD2(addr, hiaddr, lo, hi) \
	VADDPS     addr, lo, lo;       \
	VMASKMOVPS hiaddr, Y15, Y14;   \
	VADDPS     Y14, hi, hi

#define STORE2(addr, hiaddr, lo, hi) \
	VMOVUPS    lo, addr;           \
	VMASKMOVPS hi, Y15, hiaddr

#define LOAD1(addr, x) \
	VMASKMOVPS addr, Y15, Y14; \
	VADDPS     Y14, x, x

#define STORE1(addr, x) \
	VMASKMOVPS x, Y15, addr

// func gemm256x16(p *Gemm)
// Six rows by 16 columns: Y0-Y11 sums, Y12-Y13 weights, Y14-Y15 inputs.
TEXT ·gemm256x16(SB), NOSPLIT, $24-8
	START

tile:
	STEPS(Gemm_AStep)
	MOVQ    Gemm_B(DI), SI
	MOVQ    Gemm_Segs(DI), R11
	MOVQ    Gemm_Segs+8(DI), R12
	MOVQ    Gemm_Bias(DI), AX
	VMOVUPS (AX), Y0
	VMOVUPS 32(AX), Y1
	VMOVAPS Y0, Y2
	VMOVAPS Y1, Y3
	VMOVAPS Y0, Y4
	VMOVAPS Y1, Y5
	VMOVAPS Y0, Y6
	VMOVAPS Y1, Y7
	VMOVAPS Y0, Y8
	VMOVAPS Y1, Y9
	VMOVAPS Y0, Y10
	VMOVAPS Y1, Y11

segment:
	SEGMENT
	LEAQ (AX)(R10*1), BX

depth:
	VMOVUPS (SI), Y12
	VMOVUPS 32(SI), Y13
	FMA2((AX), Y14, Y0, Y1)
	FMA2((AX)(R9*1), Y15, Y2, Y3)
	FMA2((AX)(R9*2), Y14, Y4, Y5)
	FMA2((BX), Y15, Y6, Y7)
	FMA2((BX)(R9*1), Y14, Y8, Y9)
	FMA2((BX)(R9*2), Y15, Y10, Y11)
	ADDQ $64, SI
	ADDQ R14, AX
	ADDQ R14, BX
	DECQ R13
	JNZ  depth
	ADDQ $8, R11
	DECQ R12
	JNZ  segment

	CMPQ Gemm_Res+8(DI), $0
	JEQ  act
	CMPB Gemm_Before(DI), $0
	JEQ  act
	STEPS(Gemm_RStep)
	KEEP
	MOVQ r-16(SP), AX
	LEAQ (AX)(R10*1), BX
	LOAD2((AX), 32(AX), Y0, Y1)
	LOAD2((AX)(R9*1), 32(AX)(R9*1), Y2, Y3)
	LOAD2((AX)(R9*2), 32(AX)(R9*2), Y4, Y5)
	LOAD2((BX), 32(BX), Y6, Y7)
	LOAD2((BX)(R9*1), 32(BX)(R9*1), Y8, Y9)
	LOAD2((BX)(R9*2), 32(BX)(R9*2), Y10, Y11)

act:
	ACT(Gemm_Act, ALL12)

	CMPQ Gemm_Res+8(DI), $0
	JEQ  store
	CMPB Gemm_Before(DI), $0
	JNE  store
	STEPS(Gemm_RStep)
	KEEP
	MOVQ r-16(SP), AX
	LEAQ (AX)(R10*1), BX
	LOAD2((AX), 32(AX), Y0, Y1)
	LOAD2((AX)(R9*1), 32(AX)(R9*1), Y2, Y3)
	LOAD2((AX)(R9*2), 32(AX)(R9*2), Y4, Y5)
	LOAD2((BX), 32(BX), Y6, Y7)
	LOAD2((BX)(R9*1), 32(BX)(R9*1), Y8, Y9)
	LOAD2((BX)(R9*2), 32(BX)(R9*2), Y10, Y11)

store:
	STEPS(Gemm_CStep)
	KEEP
	MOVQ c-8(SP), AX
	LEAQ (AX)(R10*1), BX
	STORE2((AX), 32(AX), Y0, Y1)
	STORE2((AX)(R9*1), 32(AX)(R9*1), Y2, Y3)
	STORE2((AX)(R9*2), 32(AX)(R9*2), Y4, Y5)
	STORE2((BX), 32(BX), Y6, Y7)
	STORE2((BX)(R9*1), 32(BX)(R9*1), Y8, Y9)
	STORE2((BX)(R9*2), 32(BX)(R9*2), Y10, Y11)
	LEAQ (R10)(R10*1), R10
	ADDQ R10, c-8(SP)
	STEPS(Gemm_RStep)
	LEAQ (R10)(R10*1), R10
	ADDQ R10, r-16(SP)
	STEPS(Gemm_AStep)
	LEAQ (R10)(R10*1), R10
	ADDQ R10, R8
	DECQ tiles-24(SP)
	JNZ  tile
	VZEROUPPER
	RET

// func gemm256x8(p *Gemm)
// Six rows by 8 columns: Y0-Y5 sums, Y12 weights, Y14-Y15 inputs.
TEXT ·gemm256x8(SB), NOSPLIT, $24-8
	START

tile:
	STEPS(Gemm_AStep)
	MOVQ    Gemm_B(DI), SI
	MOVQ    Gemm_Segs(DI), R11
	MOVQ    Gemm_Segs+8(DI), R12
	MOVQ    Gemm_Bias(DI), AX
	VMOVUPS (AX), Y0
	VMOVAPS Y0, Y1
	VMOVAPS Y0, Y2
	VMOVAPS Y0, Y3
	VMOVAPS Y0, Y4
	VMOVAPS Y0, Y5

segment:
	SEGMENT
	LEAQ (AX)(R10*1), BX

depth:
	VMOVUPS (SI), Y12
	FMA1((AX), Y14, Y0)
	FMA1((AX)(R9*1), Y15, Y1)
	FMA1((AX)(R9*2), Y14, Y2)
	FMA1((BX), Y15, Y3)
	FMA1((BX)(R9*1), Y14, Y4)
	FMA1((BX)(R9*2), Y15, Y5)
	ADDQ $32, SI
	ADDQ R14, AX
	ADDQ R14, BX
	DECQ R13
	JNZ  depth
	ADDQ $8, R11
	DECQ R12
	JNZ  segment

	CMPQ Gemm_Res+8(DI), $0
	JEQ  act
	CMPB Gemm_Before(DI), $0
	JEQ  act
	STEPS(Gemm_RStep)
	KEEP
	MOVQ r-16(SP), AX
	LEAQ (AX)(R10*1), BX
	LOAD1((AX), Y0)
	LOAD1((AX)(R9*1), Y1)
	LOAD1((AX)(R9*2), Y2)
	LOAD1((BX), Y3)
	LOAD1((BX)(R9*1), Y4)
	LOAD1((BX)(R9*2), Y5)

act:
	ACT(Gemm_Act, ALL6)

	CMPQ Gemm_Res+8(DI), $0
	JEQ  store
	CMPB Gemm_Before(DI), $0
	JNE  store
	STEPS(Gemm_RStep)
	KEEP
	MOVQ r-16(SP), AX
	LEAQ (AX)(R10*1), BX
	LOAD1((AX), Y0)
	LOAD1((AX)(R9*1), Y1)
	LOAD1((AX)(R9*2), Y2)
	LOAD1((BX), Y3)
	LOAD1((BX)(R9*1), Y4)
	LOAD1((BX)(R9*2), Y5)

store:
	STEPS(Gemm_CStep)
	KEEP
	MOVQ c-8(SP), AX
	LEAQ (AX)(R10*1), BX
	STORE1((AX), Y0)
	STORE1((AX)(R9*1), Y1)
	STORE1((AX)(R9*2), Y2)
	STORE1((BX), Y3)
	STORE1((BX)(R9*1), Y4)
	STORE1((BX)(R9*2), Y5)
	LEAQ (R10)(R10*1), R10
	ADDQ R10, c-8(SP)
	STEPS(Gemm_RStep)
	LEAQ (R10)(R10*1), R10
	ADDQ R10, r-16(SP)
	STEPS(Gemm_AStep)
	LEAQ (R10)(R10*1), R10
	ADDQ R10, R8
	DECQ tiles-24(SP)
	JNZ  tile
	VZEROUPPER
	RET

// func gemm256x1(p *Gemm)
// One row by 8 columns, for a block of fewer rows than a tile.
TEXT ·gemm256x1(SB), NOSPLIT, $24-8
	START

tile:
	STEPS(Gemm_AStep)
	MOVQ    Gemm_B(DI), SI
	MOVQ    Gemm_Segs(DI), R11
	MOVQ    Gemm_Segs+8(DI), R12
	MOVQ    Gemm_Bias(DI), AX
	VMOVUPS (AX), Y0

segment:
	SEGMENT

depth:
	VMOVUPS (SI), Y12
	FMA1((AX), Y14, Y0)
	ADDQ Gemm_bStep(DI), SI
	ADDQ R14, AX
	DECQ R13
	JNZ  depth
	ADDQ $8, R11
	DECQ R12
	JNZ  segment

	CMPQ Gemm_Res+8(DI), $0
	JEQ  act
	CMPB Gemm_Before(DI), $0
	JEQ  act
	STEPS(Gemm_RStep)
	KEEP
	MOVQ r-16(SP), AX
	LOAD1((AX), Y0)

act:
	ACT(Gemm_Act, ALL1)

	CMPQ Gemm_Res+8(DI), $0
	JEQ  store
	CMPB Gemm_Before(DI), $0
	JNE  store
	STEPS(Gemm_RStep)
	KEEP
	MOVQ r-16(SP), AX
	LOAD1((AX), Y0)

store:
	STEPS(Gemm_CStep)
	KEEP
	MOVQ c-8(SP), AX
	STORE1((AX), Y0)
	ADDQ R9, c-8(SP)
	STEPS(Gemm_RStep)
	ADDQ R9, r-16(SP)
	STEPS(Gemm_AStep)
	ADDQ R9, R8
	DECQ tiles-24(SP)
	JNZ  tile
	VZEROUPPER
	RET
