// Depthwise convolution, maximum and functions of one element for NEON.

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// OPEN loads a row's cursors: R1 the first window's corner, R2 the first
// output, R3 weights, R4 bias, R5 and R6 the input's and the output's step, R7
// the channels left.
#define OPEN \
	MOVD t+0(FP), R0;            \
	MOVD Taps_In(R0), R1;        \
	MOVD Taps_InOff(R0), R17;    \
	ADD  R17<<2, R1, R1;         \
	MOVD Taps_Out(R0), R2;       \
	MOVD Taps_OutOff(R0), R17;   \
	ADD  R17<<2, R2, R2;         \
	MOVD Taps_W(R0), R3;         \
	MOVD Taps_Bias(R0), R4;      \
	MOVD Taps_InStep(R0), R5;    \
	LSL  $2, R5, R5;             \
	MOVD Taps_OutStep(R0), R6;   \
	LSL  $2, R6, R6;             \
	MOVD Taps_C(R0), R7

// CHANNELS rewinds to the row's first output: R8 input, R9 output, R10 how
// many.
#define CHANNELS \
	MOVD R1, R8;                 \
	MOVD R2, R9;                 \
	MOVD Taps_N(R0), R10

// TAP points R13 at the tap's input for the first output, R14 at its weights.
#define TAP \
	LDP.P 16(R11), (R13, R14);   \
	ADD   R13<<2, R8, R13;       \
	ADD   R14<<2, R3, R14

#define BIAS     VLD1 (R4), [V0.S4, V1.S4]
#define LEAST \
	MOVD $expo<>+160(SB), R17;   \
	VLD1 (R17), [V0.S4];         \
	MOV(1, 0)
#define WEIGHT   VLD1 (R14), [V16.S4, V17.S4]
#define NOWEIGHT

#define FMAT(lo, hi, a, b) \
	FMLA(lo, a, 16);   \
	FMLA(hi, b, 17)
#define MAXT(lo, hi, a, b) \
	FMAX(lo, lo, a);   \
	FMAX(hi, hi, b)

#define EIGHT(OP) \
	VLD1.P (R13)(R5), [V18.S4, V19.S4];  \
	VLD1.P (R13)(R5), [V20.S4, V21.S4];  \
	VLD1.P (R13)(R5), [V22.S4, V23.S4];  \
	VLD1.P (R13)(R5), [V24.S4, V25.S4];  \
	OP(0, 1, 18, 19);                    \
	VLD1.P (R13)(R5), [V18.S4, V19.S4];  \
	OP(2, 3, 20, 21);                    \
	VLD1.P (R13)(R5), [V20.S4, V21.S4];  \
	OP(4, 5, 22, 23);                    \
	VLD1.P (R13)(R5), [V22.S4, V23.S4];  \
	OP(6, 7, 24, 25);                    \
	VLD1   (R13), [V24.S4, V25.S4];      \
	OP(8, 9, 18, 19);                    \
	OP(10, 11, 20, 21);                  \
	OP(12, 13, 22, 23);                  \
	OP(14, 15, 24, 25)
#define FOUR(OP) \
	VLD1.P (R13)(R5), [V18.S4, V19.S4];  \
	VLD1.P (R13)(R5), [V20.S4, V21.S4];  \
	VLD1.P (R13)(R5), [V22.S4, V23.S4];  \
	VLD1   (R13), [V24.S4, V25.S4];      \
	OP(0, 1, 18, 19);                    \
	OP(2, 3, 20, 21);                    \
	OP(4, 5, 22, 23);                    \
	OP(6, 7, 24, 25)
#define ONE(OP) \
	VLD1   (R13), [V18.S4, V19.S4];      \
	OP(0, 1, 18, 19)

#define COPY1
#define COPY4 \
	MOV(2, 0); MOV(3, 1); MOV(4, 0); MOV(5, 1); MOV(6, 0); MOV(7, 1)
#define COPY8 \
	COPY4;                                      \
	MOV(8, 0); MOV(9, 1); MOV(10, 0); MOV(11, 1); MOV(12, 0); MOV(13, 1); MOV(14, 0); MOV(15, 1)

#define ACT1 ACT(Taps_Act, ALL2)
#define ACT4 ACT(Taps_Act, ALL8)
#define ACT8 ACT16(Taps_Act)

#define PUT1 VST1.P [V0.S4, V1.S4], (R9)(R6)
#define PUT4 \
	PUT1;                                \
	VST1.P [V2.S4, V3.S4], (R9)(R6);     \
	VST1.P [V4.S4, V5.S4], (R9)(R6);     \
	VST1.P [V6.S4, V7.S4], (R9)(R6)
#define PUT8 \
	PUT4;                                \
	VST1.P [V8.S4, V9.S4], (R9)(R6);     \
	VST1.P [V10.S4, V11.S4], (R9)(R6);   \
	VST1.P [V12.S4, V13.S4], (R9)(R6);   \
	VST1.P [V14.S4, V15.S4], (R9)(R6)

// SLIDE is a whole kernel for px outputs of eight channels at a time: V0-V15
// sums, V16-V17 weights, V18-V25 inputs. FIRST and COPY set the sums, W and OP
// use a tap.
#define SLIDE(px, FIRST, COPY, W, OUTPUTS, OP, ACTS, PUT) \
	OPEN;                        \
channels:                        \
	CHANNELS;                    \
group:                           \
	FIRST;                       \
	COPY;                        \
	MOVD Taps_Tab(R0), R11;      \
	MOVD Taps_Tab+8(R0), R12;    \
	LSR  $1, R12, R12;           \
	CBZ  R12, summed;            \
tap:                             \
	TAP;                         \
	W;                           \
	OUTPUTS(OP);                 \
	SUBS $1, R12, R12;           \
	BNE  tap;                    \
summed:                          \
	ACTS;                        \
	PUT;                         \
	MOVD $px, R17;               \
	MUL  R5, R17, R17;           \
	ADD  R17, R8, R8;            \
	SUBS $px, R10, R10;          \
	BNE  group;                  \
	ADD  $32, R1, R1;            \
	ADD  $32, R2, R2;            \
	ADD  $32, R3, R3;            \
	ADD  $32, R4, R4;            \
	SUBS $8, R7, R7;             \
	BGT  channels;               \
	RET

// func taps128x8(t *Taps)
TEXT ·taps128x8(SB), NOSPLIT, $256-8
	SLIDE(8, BIAS, COPY8, WEIGHT, EIGHT, FMAT, ACT8, PUT8)

// func taps128x4(t *Taps)
TEXT ·taps128x4(SB), NOSPLIT, $0-8
	SLIDE(4, BIAS, COPY4, WEIGHT, FOUR, FMAT, ACT4, PUT4)

// func taps128x1(t *Taps)
TEXT ·taps128x1(SB), NOSPLIT, $0-8
	SLIDE(1, BIAS, COPY1, WEIGHT, ONE, FMAT, ACT1, PUT1)

// func most128x8(t *Taps)
TEXT ·most128x8(SB), NOSPLIT, $256-8
	SLIDE(8, LEAST, COPY8, NOWEIGHT, EIGHT, MAXT, ACT8, PUT8)

// func most128x4(t *Taps)
TEXT ·most128x4(SB), NOSPLIT, $0-8
	SLIDE(4, LEAST, COPY4, NOWEIGHT, FOUR, MAXT, ACT4, PUT4)

// func most128x1(t *Taps)
TEXT ·most128x1(SB), NOSPLIT, $0-8
	SLIDE(1, LEAST, COPY1, NOWEIGHT, ONE, MAXT, ACT1, PUT1)

// func act128(e *Elements)
// One function of each of n elements, eight at a time.
TEXT ·act128(SB), NOSPLIT, $0-8
	MOVD e+0(FP), R0
	MOVD Elements_Dst(R0), R8
	MOVD Elements_Src(R0), R9
	MOVD Elements_Dst+8(R0), R10

eight:
	VLD1.P 32(R9), [V0.S4, V1.S4]
	MOVD   Elements_Act+Act_Kind(R0), R17
	CMP    $const_ExpNeg, R17
	BNE    other
	CONSTANTS
	EXPNEG2(0, 1)
	MOV(0, 10)
	MOV(1, 14)
	B      put

other:
	ACT(Elements_Act, ALL2)

put:
	VST1.P [V0.S4, V1.S4], 32(R8)
	SUBS   $8, R10, R10
	BGT    eight
	RET
