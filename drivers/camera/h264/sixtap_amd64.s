#include "textflag.h"

// The six-tap filter of sixtap.go with SSE2, which every amd64 has, on 8 columns. The
// sum a - 5(b+e) + 20(c+d) + f is computed as a + f + 5(4(c+d) - (b+e)) in 16 bits,
// -2,550 to 10,710. The second pass of both directions multiplies pairs of rows with
// PMADDWL in 32 bits.

DATA five<>+0(SB)/8, $0x0005000500050005
DATA five<>+8(SB)/8, $0x0005000500050005
GLOBL five<>(SB), RODATA|NOPTR, $16

DATA sixteen<>+0(SB)/8, $0x0010001000100010
DATA sixteen<>+8(SB)/8, $0x0010001000100010
GLOBL sixteen<>(SB), RODATA|NOPTR, $16

DATA taps01<>+0(SB)/8, $0xfffb0001fffb0001 // 1, -5
DATA taps01<>+8(SB)/8, $0xfffb0001fffb0001
GLOBL taps01<>(SB), RODATA|NOPTR, $16

DATA taps23<>+0(SB)/8, $0x0014001400140014 // 20, 20
DATA taps23<>+8(SB)/8, $0x0014001400140014
GLOBL taps23<>(SB), RODATA|NOPTR, $16

DATA taps45<>+0(SB)/8, $0x0001fffb0001fffb // -5, 1
DATA taps45<>+8(SB)/8, $0x0001fffb0001fffb
GLOBL taps45<>(SB), RODATA|NOPTR, $16

DATA half10<>+0(SB)/8, $0x0000020000000200 // 512
DATA half10<>+8(SB)/8, $0x0000020000000200
GLOBL half10<>(SB), RODATA|NOPTR, $16

// SUM leaves the filter of X0 to X5 in X6. X14 is 5; X7 is spent.
#define SUM \
	MOVO   X2, X6; \
	PADDW  X3, X6; \
	PSLLW  $2, X6; \
	MOVO   X1, X7; \
	PADDW  X4, X7; \
	PSUBW  X7, X6; \
	PMULLW X14, X6; \
	PADDW  X0, X6; \
	PADDW  X5, X6

// BYTES rounds X6 and packs it to bytes. X13 is 16.
#define BYTES \
	PADDW    X13, X6; \
	PSRAW    $5, X6; \
	PACKUSWB X6, X6

// ROW loads the six shifted rows at SI to X0 to X5 as words. X15 is 0.
#define ROW \
	MOVQ      (SI), X0; \
	MOVQ      1(SI), X1; \
	MOVQ      2(SI), X2; \
	MOVQ      3(SI), X3; \
	MOVQ      4(SI), X4; \
	MOVQ      5(SI), X5; \
	PUNPCKLBW X15, X0; \
	PUNPCKLBW X15, X1; \
	PUNPCKLBW X15, X2; \
	PUNPCKLBW X15, X3; \
	PUNPCKLBW X15, X4; \
	PUNPCKLBW X15, X5

// func filterAcross8(dst *byte, stride int, src *byte, from, w, h int)
TEXT ·filterAcross8(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), DX
	MOVQ src+16(FP), SI
	MOVQ from+24(FP), R8
	MOVQ w+32(FP), R9
	MOVQ h+40(FP), CX
	PXOR X15, X15
	MOVO five<>(SB), X14
	MOVO sixteen<>(SB), X13

across:
	ROW
	SUM
	BYTES
	CMPQ R9, $4
	JEQ  across4
	MOVQ X6, (DI)
	JMP  acrossNext

across4:
	MOVL X6, (DI)

acrossNext:
	ADDQ R8, SI
	ADDQ DX, DI
	DECQ CX
	JNZ  across
	RET

// func filterDown8(dst *byte, stride int, src *byte, from, w, h int)
TEXT ·filterDown8(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), DX
	MOVQ src+16(FP), SI
	MOVQ from+24(FP), R8
	MOVQ w+32(FP), R9
	MOVQ h+40(FP), CX
	PXOR X15, X15
	MOVO five<>(SB), X14
	MOVO sixteen<>(SB), X13
	MOVQ (SI), X0
	ADDQ R8, SI
	MOVQ (SI), X1
	ADDQ R8, SI
	MOVQ (SI), X2
	ADDQ R8, SI
	MOVQ (SI), X3
	ADDQ R8, SI
	MOVQ (SI), X4
	ADDQ R8, SI
	PUNPCKLBW X15, X0
	PUNPCKLBW X15, X1
	PUNPCKLBW X15, X2
	PUNPCKLBW X15, X3
	PUNPCKLBW X15, X4

down:
	MOVQ (SI), X5
	PUNPCKLBW X15, X5
	SUM
	BYTES
	CMPQ R9, $4
	JEQ  down4
	MOVQ X6, (DI)
	JMP  downNext

down4:
	MOVL X6, (DI)

downNext:
	MOVO X1, X0
	MOVO X2, X1
	MOVO X3, X2
	MOVO X4, X3
	MOVO X5, X4
	ADDQ R8, SI
	ADDQ DX, DI
	DECQ CX
	JNZ  down
	RET

// func filterRows8(rows *int16, src *byte, from, h int)
TEXT ·filterRows8(SB), NOSPLIT, $0-32
	MOVQ rows+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ from+16(FP), R8
	MOVQ h+24(FP), CX
	PXOR X15, X15
	MOVO five<>(SB), X14

rowsLoop:
	ROW
	SUM
	MOVOU X6, (DI)
	ADDQ  R8, SI
	ADDQ  $32, DI
	DECQ  CX
	JNZ   rowsLoop
	RET

// PAIRS leaves the filter of one half of the rows in X6; X7 and X8 are spent.
#define PAIRS(UNPACK) \
	MOVO    X0, X6; \
	UNPACK  X1, X6; \
	PMADDWL X9, X6; \
	MOVO    X2, X7; \
	UNPACK  X3, X7; \
	PMADDWL X10, X7; \
	MOVO    X4, X8; \
	UNPACK  X5, X8; \
	PMADDWL X11, X8; \
	PADDL   X7, X6; \
	PADDL   X8, X6; \
	PADDL   X12, X6; \
	PSRAL   $10, X6

// func filterColumns8(dst *byte, stride int, rows *int16, w, h int)
TEXT ·filterColumns8(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), DX
	MOVQ rows+16(FP), SI
	MOVQ w+24(FP), R9
	MOVQ h+32(FP), CX
	MOVO taps01<>(SB), X9
	MOVO taps23<>(SB), X10
	MOVO taps45<>(SB), X11
	MOVO half10<>(SB), X12
	MOVOU (SI), X0
	MOVOU 32(SI), X1
	MOVOU 64(SI), X2
	MOVOU 96(SI), X3
	MOVOU 128(SI), X4

columns:
	MOVOU 160(SI), X5
	PAIRS(PUNPCKLWL)
	MOVO  X6, X13
	PAIRS(PUNPCKHWL)
	PACKSSLW X6, X13
	PACKUSWB X13, X13
	CMPQ R9, $4
	JEQ  columns4
	MOVQ X13, (DI)
	JMP  columnsNext

columns4:
	MOVL X13, (DI)

columnsNext:
	MOVO X1, X0
	MOVO X2, X1
	MOVO X3, X2
	MOVO X4, X3
	MOVO X5, X4
	ADDQ $32, SI
	ADDQ DX, DI
	DECQ CX
	JNZ  columns
	RET

// func average(dst *byte, stride int, src *byte, from, w, h int)
TEXT ·average(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), DX
	MOVQ src+16(FP), SI
	MOVQ from+24(FP), R8
	MOVQ w+32(FP), R9
	MOVQ h+40(FP), CX
	CMPQ R9, $8
	JEQ  average8
	JLT  average4

average16:
	MOVOU (DI), X0
	MOVOU (SI), X1
	PAVGB X1, X0
	MOVOU X0, (DI)
	ADDQ  R8, SI
	ADDQ  DX, DI
	DECQ  CX
	JNZ   average16
	RET

average8:
	MOVQ  (DI), X0
	MOVQ  (SI), X1
	PAVGB X1, X0
	MOVQ  X0, (DI)
	ADDQ  R8, SI
	ADDQ  DX, DI
	DECQ  CX
	JNZ   average8
	RET

average4:
	MOVL  (DI), X0
	MOVL  (SI), X1
	PAVGB X1, X0
	MOVL  X0, (DI)
	ADDQ  R8, SI
	ADDQ  DX, DI
	DECQ  CX
	JNZ   average4
	RET
