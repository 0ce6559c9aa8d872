// What the kernels for AVX-512 (F, DQ, VL) share: sixteen channels to a register.

// For the logistic function: -log2 e, the largest exponent that is used, one,
// and 2^r on [0,1) as a polynomial of relative error 7.5e-8, highest power
// first.
DATA expo<>+0(SB)/4, $0xbfb8aa3b
DATA expo<>+4(SB)/4, $0x42fc0000
DATA expo<>+8(SB)/4, $0x3f800000
DATA expo<>+12(SB)/4, $0x3af61905
DATA expo<>+16(SB)/4, $0x3c134807
DATA expo<>+20(SB)/4, $0x3d64aa23
DATA expo<>+24(SB)/4, $0x3e75ead4
DATA expo<>+28(SB)/4, $0x3f31727b
DATA expo<>+32(SB)/4, $0x3f7fffff
DATA expo<>+36(SB)/4, $0xff800000
GLOBL expo<>(SB), RODATA|NOPTR, $40

// EXPNEG puts e^-x in Z25: y = -x·log2 e, then 2^(y-floor y) scaled by
// 2^floor y. R15 points at expo; Z24 and Z26 are spent.
#define EXPNEG(x) \
	VMULPS.BCST       0(R15), x, Z24;      \
	VMINPS.BCST       4(R15), Z24, Z24;    \
	VREDUCEPS         $9, Z24, Z25;        \
	VBROADCASTSS      12(R15), Z26;        \
	VFMADD213PS.BCST  16(R15), Z25, Z26;   \
	VFMADD213PS.BCST  20(R15), Z25, Z26;   \
	VFMADD213PS.BCST  24(R15), Z25, Z26;   \
	VFMADD213PS.BCST  28(R15), Z25, Z26;   \
	VFMADD213PS.BCST  32(R15), Z25, Z26;   \
	VSCALEFPS         Z24, Z26, Z25

// LOGISTIC puts 1/(1+e^-x) in Z25, by a 14-bit reciprocal and one Newton step.
#define LOGISTIC(x) \
	EXPNEG(x);                             \
	VADDPS.BCST       8(R15), Z25, Z25;    \
	VRCP14PS          Z25, Z26;            \
	VFNMADD213PS.BCST 8(R15), Z26, Z25;    \
	VFMADD213PS       Z26, Z26, Z25

#define SILU(x) \
	LOGISTIC(x); \
	VMULPS Z25, x, x

#define SIGM(x) \
	LOGISTIC(x); \
	VMOVAPS Z25, x

// CLIP bounds x by Z27 and Z28.
#define CLIP(x) \
	VMAXPS Z27, x, x; \
	VMINPS Z28, x, x

#define ALL1(F)  F(Z0)
#define ALL4(F)  F(Z0); F(Z1); F(Z2); F(Z3)
#define ALL8(F)  ALL4(F); F(Z4); F(Z5); F(Z6); F(Z7)
#define ALL12(F) ALL8(F); F(Z8); F(Z9); F(Z10); F(Z11)
#define ALL24(F) ALL12(F); F(Z12); F(Z13); F(Z14); F(Z15); F(Z16); F(Z17); F(Z18); F(Z19); F(Z20); F(Z21); F(Z22); F(Z23)

// ACT applies the function whose kind and bounds lie at act(DI).
#define ACT(act, ALL) \
	MOVQ         act+Act_Kind(DI), AX;        \
	LEAQ         expo<>(SB), R15;             \
	CMPQ         AX, $const_None;             \
	JEQ          actdone;                     \
	CMPQ         AX, $const_SiLU;             \
	JEQ          silu;                        \
	CMPQ         AX, $const_Sigmoid;          \
	JEQ          sigmoid;                     \
	VBROADCASTSS act+Act_Lo(DI), Z27;         \
	VBROADCASTSS act+Act_Hi(DI), Z28;         \
	ALL(CLIP);                                \
	JMP          actdone;                     \
silu:                                         \
	ALL(SILU);                                \
	JMP          actdone;                     \
sigmoid:                                      \
	ALL(SIGM);                                \
actdone:
