#include "textflag.h"

// The inverse transforms of transform.go with SSE2, in 16 bits: a stream that obeys
// 8.5.12 and 8.5.13 never exceeds them. Each direction is a butterfly across registers;
// a transposition before and between them makes rows of columns.

DATA round6<>+0(SB)/8, $0x0020002000200020 // 32
DATA round6<>+8(SB)/8, $0x0020002000200020
GLOBL round6<>(SB), RODATA|NOPTR, $16

// BUTTERFLY8 is 8-361 to 8-384 on X0 to X7. X8 to X11 are spent.
#define BUTTERFLY8 \
	MOVO  X0, X8; \
	PADDW X4, X8; \
	PSUBW X4, X0; \
	MOVO  X2, X4; \
	PSRAW $1, X4; \
	PSUBW X6, X4; \
	PSRAW $1, X6; \
	PADDW X2, X6; \
	MOVO  X8, X9; \
	PADDW X6, X9; \
	PSUBW X6, X8; \
	MOVO  X0, X10; \
	PADDW X4, X10; \
	PSUBW X4, X0; \
	MOVO  X5, X2; \
	PSUBW X3, X2; \
	PSUBW X7, X2; \
	MOVO  X7, X4; \
	PSRAW $1, X4; \
	PSUBW X4, X2; \
	MOVO  X1, X4; \
	PADDW X7, X4; \
	PSUBW X3, X4; \
	MOVO  X3, X6; \
	PSRAW $1, X6; \
	PSUBW X6, X4; \
	MOVO  X7, X6; \
	PSUBW X1, X6; \
	PADDW X5, X6; \
	MOVO  X5, X11; \
	PSRAW $1, X11; \
	PADDW X11, X6; \
	PADDW X5, X3; \
	PADDW X1, X3; \
	PSRAW $1, X1; \
	PADDW X1, X3; \
	MOVO  X3, X1; \
	PSRAW $2, X1; \
	PADDW X2, X1; \
	PSRAW $2, X2; \
	PSUBW X2, X3; \
	MOVO  X6, X5; \
	PSRAW $2, X5; \
	PADDW X4, X5; \
	PSRAW $2, X4; \
	PSUBW X6, X4; \
	MOVO  X9, X7; \
	PSUBW X3, X7; \
	PADDW X3, X9; \
	MOVO  X10, X6; \
	PSUBW X4, X6; \
	PADDW X4, X10; \
	MOVO  X0, X11; \
	PSUBW X5, X11; \
	MOVO  X0, X2; \
	PADDW X5, X2; \
	MOVO  X8, X4; \
	PSUBW X1, X4; \
	MOVO  X8, X3; \
	PADDW X1, X3; \
	MOVO  X11, X5; \
	MOVO  X9, X0; \
	MOVO  X10, X1

// TRANSPOSE8 transposes X0 to X7. X8 to X12 are spent.
#define TRANSPOSE8 \
	MOVO       X0, X8; \
	PUNPCKLWL  X1, X0; \
	PUNPCKHWL  X1, X8; \
	MOVO       X2, X9; \
	PUNPCKLWL  X3, X2; \
	PUNPCKHWL  X3, X9; \
	MOVO       X4, X10; \
	PUNPCKLWL  X5, X4; \
	PUNPCKHWL  X5, X10; \
	MOVO       X6, X11; \
	PUNPCKLWL  X7, X6; \
	PUNPCKHWL  X7, X11; \
	MOVO       X0, X1; \
	PUNPCKLLQ  X2, X0; \
	PUNPCKHLQ  X2, X1; \
	MOVO       X8, X3; \
	PUNPCKLLQ  X9, X8; \
	PUNPCKHLQ  X9, X3; \
	MOVO       X4, X5; \
	PUNPCKLLQ  X6, X4; \
	PUNPCKHLQ  X6, X5; \
	MOVO       X10, X7; \
	PUNPCKLLQ  X11, X10; \
	PUNPCKHLQ  X11, X7; \
	MOVO       X0, X2; \
	PUNPCKLQDQ X4, X0; \
	PUNPCKHQDQ X4, X2; \
	MOVO       X1, X6; \
	PUNPCKLQDQ X5, X1; \
	PUNPCKHQDQ X5, X6; \
	MOVO       X8, X9; \
	PUNPCKLQDQ X10, X8; \
	PUNPCKHQDQ X10, X9; \
	MOVO       X3, X11; \
	PUNPCKLQDQ X7, X3; \
	PUNPCKHQDQ X7, X11; \
	MOVO       X1, X10; \
	MOVO       X2, X1; \
	MOVO       X10, X2; \
	MOVO       X3, X12; \
	MOVO       X6, X3; \
	MOVO       X8, X4; \
	MOVO       X9, X5; \
	MOVO       X12, X6; \
	MOVO       X11, X7

// ADD8 adds a row of 8 to the samples at DI and moves to the next. X15 is 0.
#define ADD8(x) \
	PSRAW     $6, x; \
	MOVQ      (DI), X8; \
	PUNPCKLBW X15, X8; \
	PADDW     x, X8; \
	PACKUSWB  X8, X8; \
	MOVQ      X8, (DI); \
	ADDQ      DX, DI

// func transform8x8(dst *byte, stride int, c *[64]int16)
TEXT ·transform8x8(SB), NOSPLIT, $0-24
	MOVQ  dst+0(FP), DI
	MOVQ  stride+8(FP), DX
	MOVQ  c+16(FP), SI
	PXOR  X15, X15
	MOVOU (SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	MOVOU 64(SI), X4
	MOVOU 80(SI), X5
	MOVOU 96(SI), X6
	MOVOU 112(SI), X7
	MOVOU X15, (SI)
	MOVOU X15, 16(SI)
	MOVOU X15, 32(SI)
	MOVOU X15, 48(SI)
	MOVOU X15, 64(SI)
	MOVOU X15, 80(SI)
	MOVOU X15, 96(SI)
	MOVOU X15, 112(SI)
	TRANSPOSE8
	BUTTERFLY8
	TRANSPOSE8
	PADDW round6<>(SB), X0
	BUTTERFLY8
	ADD8(X0)
	ADD8(X1)
	ADD8(X2)
	ADD8(X3)
	ADD8(X4)
	ADD8(X5)
	ADD8(X6)
	ADD8(X7)
	RET

// BUTTERFLY4 is 8-338 to 8-345 on X0 to X3. X4 to X6 are spent.
#define BUTTERFLY4 \
	MOVO  X0, X4; \
	PADDW X2, X4; \
	PSUBW X2, X0; \
	MOVO  X1, X5; \
	PSRAW $1, X5; \
	PSUBW X3, X5; \
	PSRAW $1, X3; \
	PADDW X1, X3; \
	MOVO  X0, X1; \
	PADDW X5, X1; \
	MOVO  X0, X2; \
	PSUBW X5, X2; \
	MOVO  X4, X0; \
	PADDW X3, X0; \
	PSUBW X3, X4; \
	MOVO  X4, X3

// TRANSPOSE4 transposes the lower halves of X0 to X3.
#define TRANSPOSE4 \
	PUNPCKLWL X1, X0; \
	PUNPCKLWL X3, X2; \
	MOVO      X0, X4; \
	PUNPCKLLQ X2, X0; \
	PUNPCKHLQ X2, X4; \
	MOVO      X0, X1; \
	PSRLO     $8, X1; \
	MOVO      X4, X2; \
	MOVO      X4, X3; \
	PSRLO     $8, X3

// ADD4 adds a row of 4 to the samples at DI and moves to the next. X15 is 0.
#define ADD4(x) \
	PSRAW     $6, x; \
	MOVL      (DI), X8; \
	PUNPCKLBW X15, X8; \
	PADDW     x, X8; \
	PACKUSWB  X8, X8; \
	MOVL      X8, (DI); \
	ADDQ      DX, DI

// func transform4x4(dst *byte, stride int, c *[16]int16)
TEXT ·transform4x4(SB), NOSPLIT, $0-24
	MOVQ  dst+0(FP), DI
	MOVQ  stride+8(FP), DX
	MOVQ  c+16(FP), SI
	PXOR  X15, X15
	MOVQ  (SI), X0
	MOVQ  8(SI), X1
	MOVQ  16(SI), X2
	MOVQ  24(SI), X3
	MOVOU X15, (SI)
	MOVOU X15, 16(SI)
	TRANSPOSE4
	BUTTERFLY4
	TRANSPOSE4
	PADDW round6<>(SB), X0
	BUTTERFLY4
	ADD4(X0)
	ADD4(X1)
	ADD4(X2)
	ADD4(X3)
	RET
