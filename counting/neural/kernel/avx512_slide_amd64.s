// Depthwise convolution, maximum and functions of one element for AVX-512.

#include "go_asm.h"
#include "textflag.h"
#include "avx512_amd64.h"

// OPEN loads a row's cursors: R8 the first window's corner, R12 the first
// output, R13 weights, R14 bias, R9 and R10 one and three input steps, c the
// channels left.
#define OPEN \
	MOVQ t+0(FP), DI;          \
	MOVQ Taps_In(DI), R8;      \
	MOVQ Taps_InOff(DI), AX;   \
	LEAQ (R8)(AX*4), R8;       \
	MOVQ Taps_Out(DI), R12;    \
	MOVQ Taps_OutOff(DI), AX;  \
	LEAQ (R12)(AX*4), R12;     \
	MOVQ Taps_W(DI), R13;      \
	MOVQ Taps_Bias(DI), R14;   \
	MOVQ Taps_C(DI), AX;       \
	MOVQ AX, c-8(SP);          \
	STEPS(Taps_InStep)

// CHANNELS sets K1 to the next sixteen channels or what is left of them, and
// rewinds to the row's first output.
#define CHANNELS \
	MOVQ  c-8(SP), CX;          \
	MOVQ  $16, AX;              \
	CMPQ  CX, AX;               \
	CMOVQGT AX, CX;             \
	MOVQ  $1, AX;               \
	SHLQ  CX, AX;               \
	DECQ  AX;                   \
	KMOVW AX, K1;               \
	MOVQ  Taps_N(DI), AX;       \
	MOVQ  AX, n-16(SP);         \
	MOVQ  R8, in-24(SP);        \
	MOVQ  R12, out-32(SP)

// WINDOW points SI at the taps, R11 at how many; without any it skips.
#define WINDOW(none) \
	MOVQ  Taps_Tab(DI), SI;      \
	MOVQ  Taps_Tab+8(DI), R11; \
	SHRQ  $1, R11;               \
	JEQ   none

// TAP points AX at the tap's input for the first output, DX at its weights.
#define TAP \
	MOVQ (SI), AX;          \
	MOVQ 8(SI), DX;         \
	LEAQ (R13)(DX*4), DX;   \
	ADDQ $16, SI;           \
	MOVQ in-24(SP), BX;     \
	LEAQ (BX)(AX*4), AX

#define NEXT(px) \
	MOVQ Taps_InStep(DI), AX;   \
	IMUL3Q $(4*px), AX, AX;     \
	ADDQ AX, in-24(SP);         \
	SUBQ $px, n-16(SP)

#define NEXTCHANNELS \
	ADDQ $64, R8;           \
	ADDQ $64, R12;          \
	ADDQ $64, R13;          \
	ADDQ $64, R14;          \
	SUBQ $16, c-8(SP)

// PUT stores outputs BX, BX+s, … where s is in CX.
#define PUTSTEP \
	MOVQ out-32(SP), BX;       \
	MOVQ Taps_OutStep(DI), CX; \
	SHLQ $2, CX

#define PUT(x) \
	VMOVUPS x, K1, (BX);  \
	ADDQ    CX, BX

// EIGHT applies OP to the tap's input of eight outputs.
#define EIGHT(OP) \
	LEAQ (AX)(R10*1), BX;   \
	LEAQ (BX)(R10*1), CX;   \
	OP((AX), Z0);           \
	OP((AX)(R9*1), Z1);     \
	OP((AX)(R9*2), Z2);     \
	OP((BX), Z3);           \
	OP((BX)(R9*1), Z4);     \
	OP((BX)(R9*2), Z5);     \
	OP((CX), Z6);           \
	OP((CX)(R9*1), Z7)

#define FOUR(OP) \
	LEAQ (AX)(R10*1), BX;   \
	OP((AX), Z0);           \
	OP((AX)(R9*1), Z1);     \
	OP((AX)(R9*2), Z2);     \
	OP((BX), Z3)

#define ONE(OP) OP((AX), Z0)

#define FMAT(addr, x) VFMADD231PS addr, Z29, K1, x
#define MAXT(addr, x) VMAXPS addr, x, K1, x

#define WEIGHT VMOVUPS.Z (DX), K1, Z29
#define NOWEIGHT

#define BIAS    VMOVUPS.Z (R14), K1, Z0
#define LEAST   VBROADCASTSS expo<>+36(SB), Z0

#define COPY4 \
	VMOVAPS Z0, Z1; \
	VMOVAPS Z0, Z2; \
	VMOVAPS Z0, Z3
#define COPY8 \
	COPY4;          \
	VMOVAPS Z0, Z4; \
	VMOVAPS Z0, Z5; \
	VMOVAPS Z0, Z6; \
	VMOVAPS Z0, Z7
#define COPY1

// SLIDE is a whole kernel: FIRST and COPY set the sums, W and OP use a tap,
// px outputs at a time.
#define SLIDE(px, FIRST, COPY, W, OUTPUTS, OP, ALL) \
	OPEN;               \
channels:               \
	CHANNELS;           \
group:                  \
	FIRST;              \
	COPY;               \
	WINDOW(summed);     \
tap:                    \
	TAP;                \
	W;                  \
	OUTPUTS(OP);        \
	DECQ R11;           \
	JNZ  tap;           \
summed:                 \
	ACT(Taps_Act, ALL); \
	PUTSTEP;            \
	ALL(PUT);           \
	MOVQ BX, out-32(SP); \
	NEXT(px);           \
	JNE  group;         \
	NEXTCHANNELS;       \
	JGT  channels;      \
	VZEROUPPER;         \
	RET

// func taps512x8(t *Taps)
TEXT ·taps512x8(SB), NOSPLIT, $32-8
	SLIDE(8, BIAS, COPY8, WEIGHT, EIGHT, FMAT, ALL8)

// func taps512x4(t *Taps)
TEXT ·taps512x4(SB), NOSPLIT, $32-8
	SLIDE(4, BIAS, COPY4, WEIGHT, FOUR, FMAT, ALL4)

// func taps512x1(t *Taps)
TEXT ·taps512x1(SB), NOSPLIT, $32-8
	SLIDE(1, BIAS, COPY1, WEIGHT, ONE, FMAT, ALL1)

// func most512x8(t *Taps)
TEXT ·most512x8(SB), NOSPLIT, $32-8
	SLIDE(8, LEAST, COPY8, NOWEIGHT, EIGHT, MAXT, ALL8)

// func most512x4(t *Taps)
TEXT ·most512x4(SB), NOSPLIT, $32-8
	SLIDE(4, LEAST, COPY4, NOWEIGHT, FOUR, MAXT, ALL4)

// func most512x1(t *Taps)
TEXT ·most512x1(SB), NOSPLIT, $32-8
	SLIDE(1, LEAST, COPY1, NOWEIGHT, ONE, MAXT, ALL1)

// func act512(e *Elements)
// One function of each of n elements, sixteen at a time.
TEXT ·act512(SB), NOSPLIT, $0-8
	MOVQ e+0(FP), DI
	MOVQ Elements_Dst(DI), R8
	MOVQ Elements_Src(DI), R9
	MOVQ Elements_Dst+8(DI), R10

sixteen:
	MOVQ    $-1, AX
	KMOVW   AX, K1
	CMPQ    R10, $16
	JGE     whole
	MOVQ    R10, CX
	MOVQ    $1, AX
	SHLQ    CX, AX
	DECQ    AX
	KMOVW   AX, K1

whole:
	VMOVUPS.Z (R9), K1, Z0
	ACT(Elements_Act, ALL1)
	VMOVUPS Z0, K1, (R8)
	ADDQ    $64, R8
	ADDQ    $64, R9
	SUBQ    $16, R10
	JGT     sixteen
	VZEROUPPER
	RET
