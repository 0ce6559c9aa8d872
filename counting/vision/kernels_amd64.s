#include "textflag.h"

// func settleEights(s *settling, n int)
//
// Words are of 16 bits, one for each of eight pixels. The quotient of a difference of two
// 8.8 levels by at most 255 is exact in single precision before it is cut off.
TEXT ·settleEights(SB), NOSPLIT, $0-16
	MOVQ s+0(FP), AX
	MOVQ n+8(FP), CX
	MOVQ 0(AX), SI   // now
	MOVQ 8(AX), DI   // before
	MOVQ 16(AX), R8  // was
	MOVQ 24(AX), R9  // bgHi
	MOVQ 32(AX), R10 // bgLo
	MOVQ 40(AX), R11 // dev
	MOVQ 48(AX), R12 // age
	MOVQ 56(AX), R13 // candAge
	MOVQ 64(AX), BX  // activity
	MOVQ 72(AX), DX  // evidence
	MOVQ 80(AX), R15 // far

	PXOR       X15, X15
	MOVQ       88(AX), X14  // minChange
	PUNPCKLQDQ X14, X14
	MOVQ       96(AX), X13  // minDifference
	PUNPCKLQDQ X13, X13
	MOVQ       104(AX), X12 // memory
	PUNPCKLQDQ X12, X12
	MOVQ       112(AX), X11 // minAge
	PUNPCKLQDQ X11, X11
	MOVQ       120(AX), X10 // looks
	PUNPCKLQDQ X10, X10
	XORQ       R14, R14

loop:
	// g, bytes: the lesser gradient of both pictures (X3)
	MOVQ    1(SI)(R14*1), X3
	MOVQ    -1(SI)(R14*1), X4
	MOVO    X3, X5
	PSUBUSB X4, X3
	PSUBUSB X5, X4
	POR     X4, X3
	MOVQ    1(DI)(R14*1), X4
	MOVQ    -1(DI)(R14*1), X5
	MOVO    X4, X6
	PSUBUSB X5, X4
	PSUBUSB X6, X5
	POR     X5, X4
	PMINUB  X4, X3

	// |now - before| (X1), |now - was| (X2); now stays in X0
	MOVQ    (SI)(R14*1), X0
	MOVQ    (DI)(R14*1), X4
	MOVO    X0, X1
	PSUBUSB X4, X1
	PSUBUSB X0, X4
	POR     X4, X1
	MOVQ    (R8)(R14*1), X4
	MOVO    X0, X2
	PSUBUSB X4, X2
	PSUBUSB X0, X4
	POR     X4, X2

	// words: X4 dev; X1 the mask of what changed
	MOVQ      (R11)(R14*1), X4
	PUNPCKLBW X15, X4
	PUNPCKLBW X15, X1
	PSLLW     $3, X1
	PUNPCKLBW X15, X3
	PADDW     X3, X3
	PADDW     X4, X3
	PADDW     X14, X3
	PCMPGTW   X3, X1

	// evidence: changed (2) where the age (X5) is below minAge
	MOVQ      (R12)(R14*1), X5
	PUNPCKLBW X15, X5
	MOVO      X11, X6
	PCMPGTW   X5, X6
	PAND      X1, X6
	PSRLW     $15, X6
	PADDW     X6, X6
	PACKUSWB  X6, X6
	MOVQ      X6, (DX)(R14*1)

	// activity: looks where it changed, else one less
	MOVQ      (BX)(R14*1), X6
	PUNPCKLBW X15, X6
	PCMPEQW   X7, X7
	PSRLW     $15, X7
	PSUBUSW   X7, X6
	MOVO      X1, X8
	PANDN     X6, X8
	PAND      X10, X1
	POR       X8, X1
	PACKUSWB  X1, X1
	MOVQ      X1, (BX)(R14*1)

	// X3: the mask of far pixels, words; X2: the difference in 1/8 levels
	PUNPCKLBW X15, X2
	PSLLW     $3, X2
	MOVO      X4, X6
	PADDW     X4, X6
	PADDW     X4, X6
	PADDW     X13, X6
	MOVO      X2, X3
	PCMPGTW   X6, X3

	// X5: age + 1; X6: n
	PADDW  X7, X5
	MOVO   X5, X6
	PMINSW X12, X6

	// X8: the background, 8.8 fixed point; X0: now + 1/2, as well
	MOVQ      (R10)(R14*1), X8
	MOVQ      (R8)(R14*1), X9
	PUNPCKLBW X9, X8
	MOVO      X7, X9
	PSLLW     $15, X9
	PUNPCKLBW X15, X0
	PSLLW     $8, X0
	PSRLW     $8, X9
	POR       X9, X0

	// the first four quotients in X1
	MOVO      X0, X1
	PUNPCKLWL X15, X1
	MOVO      X8, X9
	PUNPCKLWL X15, X9
	PSUBL     X9, X1
	CVTPL2PS  X1, X1
	MOVO      X6, X9
	PUNPCKLWL X15, X9
	CVTPL2PS  X9, X9
	DIVPS     X9, X1
	CVTTPS2PL X1, X1

	// the others in X0
	PUNPCKHWL X15, X0
	MOVO      X8, X9
	PUNPCKHWL X15, X9
	PSUBL     X9, X0
	CVTPL2PS  X0, X0
	PUNPCKHWL X15, X6
	CVTPL2PS  X6, X6
	DIVPS     X6, X0
	CVTTPS2PL X0, X0

	// add modulo 2^16
	PSLLL    $16, X1
	PSRAL    $16, X1
	PSLLL    $16, X0
	PSRAL    $16, X0
	PACKSSLW X0, X1
	PADDW    X8, X1

	// X9: the mask of far pixels, bytes, and its bits
	MOVO     X3, X9
	PACKSSWB X9, X9
	PMOVMSKB X9, AX
	MOVB     AX, (R15)
	INCQ     R15

	// bgHi (X0) and bgLo (X1)
	MOVO     X1, X0
	PSRLW    $8, X0
	PSLLW    $8, X1
	PSRLW    $8, X1
	PACKUSWB X0, X0
	PACKUSWB X1, X1
	MOVQ     (R8)(R14*1), X6
	PAND     X9, X6
	MOVO     X9, X8
	PANDN    X0, X8
	POR      X6, X8
	MOVQ     X8, (R9)(R14*1)
	MOVQ     (R10)(R14*1), X6
	PAND     X9, X6
	MOVO     X9, X8
	PANDN    X1, X8
	POR      X6, X8
	MOVQ     X8, (R10)(R14*1)

	// age: packing cuts 256 off at 255
	PACKUSWB X5, X5
	MOVQ     (R12)(R14*1), X6
	PAND     X9, X6
	MOVO     X9, X8
	PANDN    X5, X8
	POR      X6, X8
	MOVQ     X8, (R12)(R14*1)

	// dev: an eighth of the way to at most maxDeviation (120), towards zero
	MOVO     X7, X0
	PSLLW    $7, X0
	MOVO     X7, X1
	PSLLW    $3, X1
	PSUBW    X1, X0
	PMINSW   X0, X2
	PSUBW    X4, X2
	MOVO     X2, X0
	PSRAW    $15, X0
	PSRLW    $13, X0
	PADDW    X0, X2
	PSRAW    $3, X2
	PADDW    X4, X2
	PACKUSWB X2, X2
	PACKUSWB X4, X4
	PAND     X9, X4
	MOVO     X9, X8
	PANDN    X2, X8
	POR      X4, X8
	MOVQ     X8, (R11)(R14*1)

	// candAge: one less
	PACKUSWB X7, X7
	MOVQ     (R13)(R14*1), X6
	PANDN    X7, X9
	PSUBUSB  X9, X6
	MOVQ     X6, (R13)(R14*1)

	ADDQ $8, R14
	CMPQ R14, CX
	JLT  loop
	RET

// func sumEights(columns *uint16, rows *byte, n, k, stride int)
TEXT ·sumEights(SB), NOSPLIT, $0-40
	MOVQ columns+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ k+24(FP), DX
	MOVQ stride+32(FP), R8
	PXOR X15, X15

eight:
	MOVQ SI, R9
	MOVQ DX, R10
	PXOR X1, X1

row:
	MOVQ      (R9), X0
	PUNPCKLBW X15, X0
	PADDW     X0, X1
	ADDQ      R8, R9
	DECQ      R10
	JNZ       row
	MOVOU     X1, (DI)
	ADDQ      $16, DI
	ADDQ      $8, SI
	SUBQ      $8, CX
	JNZ       eight
	RET
