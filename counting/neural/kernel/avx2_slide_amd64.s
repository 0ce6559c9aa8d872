// Depthwise convolution, maximum and functions of one element for AVX2 and FMA.

#include "go_asm.h"
#include "textflag.h"
#include "amd64.h"
#include "avx2_amd64.h"

#define S0 Y0
#define S1 Y1
#define S2 Y2
#define S3 Y3
#define S4 Y4
#define S5 Y5
#define S6 Y6
#define S7 Y7

// CHANNELS rewinds to the row's first output.
#define CHANNELS \
	MOVQ  Taps_N(DI), AX;       \
	MOVQ  AX, n-16(SP);         \
	MOVQ  R8, in-24(SP);        \
	MOVQ  R12, out-32(SP)

#define NEXTCHANNELS \
	ADDQ $32, R8;           \
	ADDQ $32, R12;          \
	ADDQ $32, R13;          \
	ADDQ $32, R14;          \
	SUBQ $8, c-8(SP)

// PUT stores an output at BX and goes on to the next.
#define PUT(x) \
	VMOVUPS x, (BX)   ;  \
	ADDQ    CX, BX

#define FMAT(addr, x) VFMADD231PS addr, Y15, x
#define MAXT(addr, x) VMAXPS addr, x, x

#define WEIGHT VMOVUPS (DX), Y15
#define NOWEIGHT

#define BIAS    VMOVUPS (R14), Y0
#define LEAST   VMOVUPS wide<>+320(SB), Y0

#define COPY4 \
	VMOVAPS Y0, Y1; \
	VMOVAPS Y0, Y2; \
	VMOVAPS Y0, Y3
#define COPY8 \
	COPY4;          \
	VMOVAPS Y0, Y4; \
	VMOVAPS Y0, Y5; \
	VMOVAPS Y0, Y6; \
	VMOVAPS Y0, Y7
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

// func taps256x8(t *Taps)
TEXT ·taps256x8(SB), NOSPLIT, $32-8
	SLIDE(8, BIAS, COPY8, WEIGHT, EIGHT, FMAT, ALL8)

// func taps256x4(t *Taps)
TEXT ·taps256x4(SB), NOSPLIT, $32-8
	SLIDE(4, BIAS, COPY4, WEIGHT, FOUR, FMAT, ALL4)

// func taps256x1(t *Taps)
TEXT ·taps256x1(SB), NOSPLIT, $32-8
	SLIDE(1, BIAS, COPY1, WEIGHT, ONE, FMAT, ALL1)

// func most256x8(t *Taps)
TEXT ·most256x8(SB), NOSPLIT, $32-8
	SLIDE(8, LEAST, COPY8, NOWEIGHT, EIGHT, MAXT, ALL8)

// func most256x4(t *Taps)
TEXT ·most256x4(SB), NOSPLIT, $32-8
	SLIDE(4, LEAST, COPY4, NOWEIGHT, FOUR, MAXT, ALL4)

// func most256x1(t *Taps)
TEXT ·most256x1(SB), NOSPLIT, $32-8
	SLIDE(1, LEAST, COPY1, NOWEIGHT, ONE, MAXT, ALL1)

// func act256(e *Elements)
// One function of each of n elements, eight at a time.
TEXT ·act256(SB), NOSPLIT, $0-8
	MOVQ e+0(FP), DI
	MOVQ Elements_Dst(DI), R8
	MOVQ Elements_Src(DI), R9
	MOVQ Elements_Dst+8(DI), R10

eight:
	VMOVUPS (R9), Y0
	CMPQ    Elements_Act+Act_Kind(DI), $const_ExpNeg
	JNE     other
	EXPNEG(Y0)
	VMOVAPS Y13, Y0
	JMP     put

other:
	ACT(Elements_Act, ALL1)

put:
	VMOVUPS Y0, (R8)
	ADDQ    $32, R8
	ADDQ    $32, R9
	SUBQ    $8, R10
	JGT     eight
	VZEROUPPER
	RET
