#include "textflag.h"

// directionTan and -directionUnit, for pairs of the absolute gradients across and down.
DATA tan<>+0(SB)/8, $0xfc18019efc18019e
DATA tan<>+8(SB)/8, $0xfc18019efc18019e
GLOBL tan<>(SB), RODATA|NOPTR, $16
DATA cot<>+0(SB)/8, $0x019efc18019efc18
DATA cot<>+8(SB)/8, $0x019efc18019efc18
GLOBL cot<>(SB), RODATA|NOPTR, $16

// lanes has the masks of 8 down to 1 words: that of n begins at 16-2n.
DATA lanes<>+0(SB)/8, $0xffffffffffffffff
DATA lanes<>+8(SB)/8, $0xffffffffffffffff
DATA lanes<>+16(SB)/8, $0
DATA lanes<>+24(SB)/8, $0
GLOBL lanes<>(SB), RODATA|NOPTR, $32

// FOUR adds four pixels: X2 is gx gy in pairs, X5 their absolute values, X7 gx^gy, in
// words.
#define FOUR \
	PMADDWL X2, X2; \
	MOVO    X2, X3; \
	PCMPGTL X14, X3; \
	PSUBL   X3, X8; \
	PCMPGTL X13, X2; \
	PSUBL   X2, X9; \
	MOVO    X5, X6; \
	PMADDWL tan<>(SB), X5; \
	PCMPGTL X15, X5; \
	PAND    X2, X5; \
	PSUBL   X5, X10; \
	PMADDWL cot<>(SB), X6; \
	PCMPGTL X15, X6; \
	PAND    X2, X6; \
	PSUBL   X6, X11; \
	POR     X5, X6; \
	PANDN   X2, X6; \
	PSRAL   $31, X7; \
	PAND    X6, X7; \
	PSUBL   X7, X12

// func sumEdges(sums *edgeSums, mid *byte, w, step, n, rows int, least, half int32)
TEXT ·sumEdges(SB), NOSPLIT, $0-56
	MOVQ   sums+0(FP), DI
	MOVQ   mid+8(FP), SI
	MOVQ   w+16(FP), R8
	MOVQ   step+24(FP), R9
	MOVQ   n+32(FP), R10
	MOVQ   rows+40(FP), R11
	MOVL   least+48(FP), X13
	PSHUFL $0, X13, X13
	MOVL   half+52(FP), X14
	PSHUFL $0, X14, X14
	PXOR   X15, X15
	PXOR   X8, X8
	PXOR   X9, X9
	PXOR   X10, X10
	PXOR   X11, X11
	PXOR   X12, X12
	LEAQ   lanes<>(SB), R13

row:
	MOVQ SI, AX  // of the next eight
	MOVQ R10, CX // columns that are left
	MOVQ SI, BX
	SUBQ R8, BX

eight:
	MOVQ      1(AX), X0
	MOVQ      -1(AX), X1
	PUNPCKLBW X15, X0
	PUNPCKLBW X15, X1
	PSUBW     X1, X0
	MOVQ      (AX)(R8*1), X1
	MOVQ      (BX), X2
	PUNPCKLBW X15, X1
	PUNPCKLBW X15, X2
	PSUBW     X2, X1
	CMPQ      CX, $8
	JGE       whole
	MOVQ      CX, DX
	ADDQ      DX, DX
	NEGQ      DX
	MOVOU     16(R13)(DX*1), X2
	PAND      X2, X0
	PAND      X2, X1

whole:
	// X3 and X4: absolute values
	PXOR   X3, X3
	PSUBW  X0, X3
	PMAXSW X0, X3
	PXOR   X4, X4
	PSUBW  X1, X4
	PMAXSW X1, X4

	// the upper four first: X0, X1 and X3, X4 stay for the lower
	MOVO      X0, X2
	PUNPCKHWL X1, X2
	MOVO      X3, X5
	PUNPCKHWL X4, X5
	MOVO      X0, X7
	PXOR      X1, X7
	PUNPCKHWL X7, X7
	PUNPCKLWL X4, X3
	MOVO      X3, X4 // pairs of the lower four
	FOUR
	MOVO      X0, X2
	PUNPCKLWL X1, X2
	MOVO      X4, X5
	MOVO      X0, X7
	PXOR      X1, X7
	PUNPCKLWL X7, X7
	FOUR

	ADDQ $8, AX
	ADDQ $8, BX
	SUBQ $8, CX
	JG   eight
	ADDQ R9, SI
	DECQ R11
	JNZ  row

	MOVOU X8, 0(DI)
	MOVOU X9, 16(DI)
	MOVOU X10, 32(DI)
	MOVOU X11, 48(DI)
	MOVOU X12, 64(DI)
	RET
