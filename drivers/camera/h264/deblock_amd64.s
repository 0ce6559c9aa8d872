#include "textflag.h"

// The filter of deblock.go for bS below 4 with SSE2, on 8 samples along an edge, as
// words: P2 to Q2 in X0 to X5.

DATA four<>+0(SB)/8, $0x0004000400040004
DATA four<>+8(SB)/8, $0x0004000400040004
GLOBL four<>(SB), RODATA|NOPTR, $16

// DIFFER leaves |a - b| in X6; X10 is spent.
#define DIFFER(a, b) \
	MOVO   a, X6; \
	PSUBW  b, X6; \
	PXOR   X10, X10; \
	PSUBW  X6, X10; \
	PMAXSW X10, X6

// BELOW leaves in m where X6 is below the bound.
#define BELOW(bound, m) \
	MOVO    bound, m; \
	PCMPGTW X6, m

// CLIP bounds x to -X14 and X14; X10 is spent.
#define CLIP(x) \
	PMINSW X14, x; \
	PXOR   X10, X10; \
	PSUBW  X14, X10; \
	PMAXSW X10, x

// NORMAL filters P1 to Q1, X1 to X4. X12 is alpha, X13 beta, X14 tC0 or -1; all others
// but X15 are spent.
#define NORMAL \
	PCMPEQW X11, X11; \
	MOVO    X14, X7; \
	PCMPGTW X11, X7; \
	DIFFER(X2, X3); \
	BELOW(X12, X8); \
	PAND    X8, X7; \
	DIFFER(X1, X2); \
	BELOW(X13, X8); \
	PAND    X8, X7; \
	DIFFER(X4, X3); \
	BELOW(X13, X8); \
	PAND    X8, X7; \
	DIFFER(X0, X2); \
	BELOW(X13, X8); \
	PAND    X7, X8; \
	DIFFER(X5, X3); \
	BELOW(X13, X9); \
	PAND    X7, X9; \
	MOVO    X2, X6; \
	PAVGW   X3, X6; \
	PADDW   X6, X0; \
	PSUBW   X1, X0; \
	PSUBW   X1, X0; \
	PSRAW   $1, X0; \
	CLIP(X0); \
	PAND    X8, X0; \
	PADDW   X6, X5; \
	PSUBW   X4, X5; \
	PSUBW   X4, X5; \
	PSRAW   $1, X5; \
	CLIP(X5); \
	PAND    X9, X5; \
	MOVO    X3, X6; \
	PSUBW   X2, X6; \
	PSLLW   $2, X6; \
	PADDW   X1, X6; \
	PSUBW   X4, X6; \
	PADDW   four<>(SB), X6; \
	PSRAW   $3, X6; \
	PSUBW   X8, X14; \
	PSUBW   X9, X14; \
	CLIP(X6); \
	PAND    X7, X6; \
	PADDW   X6, X2; \
	PSUBW   X6, X3; \
	PADDW   X0, X1; \
	PADDW   X5, X4; \
	PACKUSWB X1, X1; \
	PACKUSWB X2, X2; \
	PACKUSWB X3, X3; \
	PACKUSWB X4, X4

// SPREAD loads a number into all words of x.
#define SPREAD(from, x) \
	MOVQ       from, x; \
	PSHUFLW    $0, x, x; \
	PUNPCKLQDQ x, x

// BOUNDS loads alpha, beta and tC0 of two parts of 4 samples. X15 is 0.
#define BOUNDS \
	MOVQ       alpha+16(FP), AX; \
	SPREAD(AX, X12); \
	MOVQ       beta+24(FP), AX; \
	SPREAD(AX, X13); \
	MOVQ       tc0+32(FP), AX; \
	MOVQ       AX, X14; \
	PSHUFLW    $0, X14, X14; \
	MOVQ       tc1+40(FP), AX; \
	MOVQ       AX, X10; \
	PSHUFLW    $0, X10, X10; \
	PUNPCKLQDQ X10, X14; \
	PXOR       X15, X15

// func filterBelow8(q0 *byte, stride, alpha, beta, tc0, tc1 int)
TEXT ·filterBelow8(SB), NOSPLIT, $0-48
	MOVQ q0+0(FP), DI
	MOVQ stride+8(FP), DX
	BOUNDS
	MOVQ DI, SI
	SUBQ DX, SI
	SUBQ DX, SI
	SUBQ DX, SI
	MOVQ (SI), X0
	MOVQ (SI)(DX*1), X1
	MOVQ (SI)(DX*2), X2
	MOVQ (DI), X3
	MOVQ (DI)(DX*1), X4
	MOVQ (DI)(DX*2), X5
	PUNPCKLBW X15, X0
	PUNPCKLBW X15, X1
	PUNPCKLBW X15, X2
	PUNPCKLBW X15, X3
	PUNPCKLBW X15, X4
	PUNPCKLBW X15, X5
	NORMAL
	MOVQ X1, (SI)(DX*1)
	MOVQ X2, (SI)(DX*2)
	MOVQ X3, (DI)
	MOVQ X4, (DI)(DX*1)
	RET

// STORE4 writes 4 bytes of x to the next four rows at SI.
#define STORE4(x) \
	MOVL  x, (SI); \
	ADDQ  DX, SI; \
	PSRLO $4, x; \
	MOVL  x, (SI); \
	ADDQ  DX, SI; \
	PSRLO $4, x; \
	MOVL  x, (SI); \
	ADDQ  DX, SI; \
	PSRLO $4, x; \
	MOVL  x, (SI); \
	ADDQ  DX, SI

// func filterBeside8(q0 *byte, stride, alpha, beta, tc0, tc1 int)
TEXT ·filterBeside8(SB), NOSPLIT, $0-48
	MOVQ q0+0(FP), SI
	MOVQ stride+8(FP), DX
	BOUNDS
	SUBQ $4, SI
	MOVQ SI, DI
	MOVQ (DI), X0
	ADDQ DX, DI
	MOVQ (DI), X1
	ADDQ DX, DI
	MOVQ (DI), X2
	ADDQ DX, DI
	MOVQ (DI), X3
	ADDQ DX, DI
	MOVQ (DI), X4
	ADDQ DX, DI
	MOVQ (DI), X5
	ADDQ DX, DI
	MOVQ (DI), X6
	ADDQ DX, DI
	MOVQ (DI), X7
	PUNPCKLBW X1, X0
	PUNPCKLBW X3, X2
	PUNPCKLBW X5, X4
	PUNPCKLBW X7, X6
	MOVO X0, X1
	PUNPCKLWL X2, X0 // columns 0 to 3 of rows 0 to 3
	PUNPCKHWL X2, X1 // columns 4 to 7
	MOVO X4, X5
	PUNPCKLWL X6, X4
	PUNPCKHWL X6, X5
	MOVO X0, X2
	PUNPCKLLQ X4, X0 // columns 0 and 1
	PUNPCKHLQ X4, X2 // columns 2 and 3
	MOVO X1, X3
	PUNPCKLLQ X5, X1 // columns 4 and 5
	PUNPCKHLQ X5, X3 // columns 6 and 7
	MOVO X3, X5
	PUNPCKLBW X15, X5 // q2
	MOVO X1, X3
	MOVO X1, X4
	PUNPCKLBW X15, X3 // q0
	PUNPCKHBW X15, X4 // q1
	MOVO X2, X1
	PUNPCKLBW X15, X1 // p1
	PUNPCKHBW X15, X2 // p0
	PUNPCKHBW X15, X0 // p2
	NORMAL
	PUNPCKLBW X2, X1
	PUNPCKLBW X4, X3
	MOVO X1, X2
	PUNPCKLWL X3, X1
	PUNPCKHWL X3, X2
	ADDQ $2, SI
	STORE4(X1)
	STORE4(X2)
	RET
