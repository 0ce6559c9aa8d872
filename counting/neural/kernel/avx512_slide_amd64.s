// Depthwise convolution, maximum and functions of one element for AVX-512.

#include "go_asm.h"
#include "textflag.h"
#include "amd64.h"
#include "avx512_amd64.h"

#define S0 Z0
#define S1 Z1
#define S2 Z2
#define S3 Z3
#define S4 Z4
#define S5 Z5
#define S6 Z6
#define S7 Z7

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

#define NEXTCHANNELS \
	ADDQ $64, R8;           \
	ADDQ $64, R12;          \
	ADDQ $64, R13;          \
	ADDQ $64, R14;          \
	SUBQ $16, c-8(SP)

// PUT stores an output at BX and goes on to the next.
#define PUT(x) \
	VMOVUPS x, K1, (BX);  \
	ADDQ    CX, BX

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
	CMPQ    Elements_Act+Act_Kind(DI), $const_ExpNeg
	JNE     other
	LEAQ    expo<>(SB), R15
	EXPNEG(Z0)
	VMOVAPS Z25, Z0
	JMP     put

other:
	ACT(Elements_Act, ALL1)

put:
	VMOVUPS Z0, K1, (R8)
	ADDQ    $64, R8
	ADDQ    $64, R9
	SUBQ    $16, R10
	JGT     sixteen
	VZEROUPPER
	RET
