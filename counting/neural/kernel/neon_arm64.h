// What the kernels for NEON share: four channels to a register. The instructions
// that Go's assembler has no name for are spelled in bits, after the Arm
// Architecture Reference Manual, section C7.2; d, n, m are register numbers.

// For the logistic function, each four times: -log2 e, the largest and the
// smallest exponent that is used, one, and 2^r on [0,1) as a polynomial of
// relative error 7.5e-8, highest power first. Then -infinity.
DATA expo<>+0(SB)/8, $0xbfb8aa3bbfb8aa3b
DATA expo<>+8(SB)/8, $0xbfb8aa3bbfb8aa3b
DATA expo<>+16(SB)/8, $0x42fc000042fc0000
DATA expo<>+24(SB)/8, $0x42fc000042fc0000
DATA expo<>+32(SB)/8, $0xc2fc0000c2fc0000
DATA expo<>+40(SB)/8, $0xc2fc0000c2fc0000
DATA expo<>+48(SB)/8, $0x3f8000003f800000
DATA expo<>+56(SB)/8, $0x3f8000003f800000
DATA expo<>+64(SB)/8, $0x3af619053af61905
DATA expo<>+72(SB)/8, $0x3af619053af61905
DATA expo<>+80(SB)/8, $0x3c1348073c134807
DATA expo<>+88(SB)/8, $0x3c1348073c134807
DATA expo<>+96(SB)/8, $0x3d64aa233d64aa23
DATA expo<>+104(SB)/8, $0x3d64aa233d64aa23
DATA expo<>+112(SB)/8, $0x3e75ead43e75ead4
DATA expo<>+120(SB)/8, $0x3e75ead43e75ead4
DATA expo<>+128(SB)/8, $0x3f31727b3f31727b
DATA expo<>+136(SB)/8, $0x3f31727b3f31727b
DATA expo<>+144(SB)/8, $0x3f7fffff3f7fffff
DATA expo<>+152(SB)/8, $0x3f7fffff3f7fffff
DATA expo<>+160(SB)/8, $0xff800000ff800000
DATA expo<>+168(SB)/8, $0xff800000ff800000
GLOBL expo<>(SB), RODATA|NOPTR, $176

#define FADD(d, n, m)    WORD $(0x4e20d400 | (m)<<16 | (n)<<5 | (d))
#define FSUB(d, n, m)    WORD $(0x4ea0d400 | (m)<<16 | (n)<<5 | (d))
#define FMUL(d, n, m)    WORD $(0x6e20dc00 | (m)<<16 | (n)<<5 | (d))
#define FMAX(d, n, m)    WORD $(0x4e20f400 | (m)<<16 | (n)<<5 | (d))
#define FMIN(d, n, m)    WORD $(0x4ea0f400 | (m)<<16 | (n)<<5 | (d))
#define FMLA(d, n, m)    WORD $(0x4e20cc00 | (m)<<16 | (n)<<5 | (d))
#define FRINTM(d, n)     WORD $(0x4e219800 | (n)<<5 | (d))
#define FCVTZS(d, n)     WORD $(0x4ea1b800 | (n)<<5 | (d))
#define FRECPE(d, n)     WORD $(0x4ea1d800 | (n)<<5 | (d))
#define FRECPS(d, n, m)  WORD $(0x4e20fc00 | (m)<<16 | (n)<<5 | (d))
#define SHL23(d, n)      WORD $(0x4f375400 | (n)<<5 | (d))
#define IADD(d, n, m)    WORD $(0x4ea08400 | (m)<<16 | (n)<<5 | (d))
#define MOV(d, n)        WORD $(0x4ea01c00 | (n)<<16 | (n)<<5 | (d))
// FMLAI multiplies by lane i of m.
#define FMLAI(d, n, m, i) WORD $(0x4f801000 | ((i)&1)<<21 | (m)<<16 | ((i)>>1)<<11 | (n)<<5 | (d))

// The logistic function keeps its constants in V22 to V31.
#define CONSTANTS \
	MOVD $expo<>(SB), R17;                              \
	VLD1.P 64(R17), [V22.S4, V23.S4, V24.S4, V25.S4];   \
	VLD1.P 64(R17), [V26.S4, V27.S4, V28.S4, V29.S4];   \
	VLD1 (R17), [V30.S4, V31.S4]

// EXPNEG2 puts e^-x in V10 and e^-y in V14: t = -x·log2 e, then 2^(t-floor t)
// with floor t added to its exponent. Two at a time, because small cores run
// in order. Spent: V8 to V15.
#define EXPNEG2(x, y) \
	FMUL(8, x, 22);      FMUL(12, y, 22);       \
	FMIN(8, 8, 23);      FMIN(12, 12, 23);      \
	FMAX(8, 8, 24);      FMAX(12, 12, 24);      \
	FRINTM(9, 8);        FRINTM(13, 12);        \
	FSUB(8, 8, 9);       FSUB(12, 12, 13);      \
	FCVTZS(9, 9);        FCVTZS(13, 13);        \
	MOV(10, 27);         MOV(14, 27);           \
	FMLA(10, 26, 8);     FMLA(14, 26, 12);      \
	SHL23(9, 9);         SHL23(13, 13);         \
	MOV(11, 28);         MOV(15, 28);           \
	FMLA(11, 10, 8);     FMLA(15, 14, 12);      \
	MOV(10, 29);         MOV(14, 29);           \
	FMLA(10, 11, 8);     FMLA(14, 15, 12);      \
	MOV(11, 30);         MOV(15, 30);           \
	FMLA(11, 10, 8);     FMLA(15, 14, 12);      \
	MOV(10, 31);         MOV(14, 31);           \
	FMLA(10, 11, 8);     FMLA(14, 15, 12);      \
	IADD(10, 10, 9);     IADD(14, 14, 13)

// LOGISTIC2 puts 1/(1+e^-x) in V8 and that of y in V12, by an 8-bit reciprocal
// and two Newton steps.
#define LOGISTIC2(x, y) \
	EXPNEG2(x, y);                              \
	FADD(10, 10, 25);    FADD(14, 14, 25);      \
	FRECPE(8, 10);       FRECPE(12, 14);        \
	FRECPS(9, 10, 8);    FRECPS(13, 14, 12);    \
	FMUL(8, 8, 9);       FMUL(12, 12, 13);      \
	FRECPS(9, 10, 8);    FRECPS(13, 14, 12);    \
	FMUL(8, 8, 9);       FMUL(12, 12, 13)

#define SILU2(x, y) \
	LOGISTIC2(x, y);                    \
	FMUL(x, x, 8); FMUL(y, y, 12)

#define SIGM2(x, y) \
	LOGISTIC2(x, y);                    \
	MOV(x, 8); MOV(y, 12)

// CLIP2 bounds by V22 and V23.
#define CLIP2(x, y) \
	FMAX(x, x, 22); FMAX(y, y, 22);     \
	FMIN(x, x, 23); FMIN(y, y, 23)

#define ALL2(F) F(0, 1)
#define ALL8(F) F(0, 1); F(2, 3); F(4, 5); F(6, 7)
#define TOP8(F) F(8, 9); F(10, 11); F(12, 13); F(14, 15)

// BOUNDS loads the bounds of the function at act(R0).
#define BOUNDS(act) \
	MOVD $act(R0), R17;             \
	ADD $Act_Lo, R17, R17;          \
	VLD1R (R17), [V22.S4];          \
	ADD $(Act_Hi-Act_Lo), R17, R17; \
	VLD1R (R17), [V23.S4]

// ACT applies the function at act(R0) to the first registers.
#define ACT(act, ALL) \
	MOVD act+Act_Kind(R0), R17;   \
	CBZ  R17, actdone;              \
	CMP  $const_SiLU, R17;          \
	BEQ  silu;                      \
	CMP  $const_Sigmoid, R17;       \
	BEQ  sigmoid;                   \
	BOUNDS(act);                    \
	ALL(CLIP2);                     \
	B    actdone;                   \
silu:                               \
	CONSTANTS;                      \
	ALL(SILU2);                     \
	B    actdone;                   \
sigmoid:                            \
	CONSTANTS;                      \
	ALL(SIGM2);                     \
actdone:

#define SAVE(off, a, b, c, d) \
	MOVD $spill-256(SP), R17;                 \
	ADD  $off, R17, R17;                      \
	VST1 [a.S4, b.S4, c.S4, d.S4], (R17)

#define BACK(off, a, b, c, d) \
	MOVD $spill-256(SP), R17;                 \
	ADD  $off, R17, R17;                      \
	VLD1 (R17), [a.S4, b.S4, c.S4, d.S4]

// HALVES applies F to V0 to V15, eight at a time, the others put by.
#define HALVES(F) \
	CONSTANTS;                        \
	SAVE(0, V8, V9, V10, V11);        \
	SAVE(64, V12, V13, V14, V15);     \
	ALL8(F);                          \
	SAVE(128, V0, V1, V2, V3);        \
	SAVE(192, V4, V5, V6, V7);        \
	BACK(0, V0, V1, V2, V3);          \
	BACK(64, V4, V5, V6, V7);         \
	ALL8(F);                          \
	SAVE(0, V0, V1, V2, V3);          \
	SAVE(64, V4, V5, V6, V7);         \
	BACK(0, V8, V9, V10, V11);        \
	BACK(64, V12, V13, V14, V15);     \
	BACK(128, V0, V1, V2, V3);        \
	BACK(192, V4, V5, V6, V7)

// ACT16 is ACT for V0 to V15.
#define ACT16(act) \
	MOVD act+Act_Kind(R0), R17;   \
	CBZ  R17, actdone;              \
	CMP  $const_SiLU, R17;          \
	BEQ  silu;                      \
	CMP  $const_Sigmoid, R17;       \
	BEQ  sigmoid;                   \
	BOUNDS(act);                    \
	ALL8(CLIP2);                    \
	TOP8(CLIP2);                    \
	B    actdone;                   \
silu:                               \
	HALVES(SILU2);                  \
	B    actdone;                   \
sigmoid:                            \
	HALVES(SIGM2);                  \
actdone:

#define SCVTF(d, n)      WORD $(0x4e21d800 | (n)<<5 | (d))

// SCALE turns a row's sums into numbers: V16-V17 scales, V18-V19 biases.
#define SCALE(lo, hi) \
	SCVTF(lo, lo);     SCVTF(hi, hi);     \
	FMUL(lo, lo, 16);  FMUL(hi, hi, 17);  \
	FADD(lo, lo, 18);  FADD(hi, hi, 19)

#define PLUS(lo, hi) \
	VLD1.P (R17)(R20), [V16.S4, V17.S4];   \
	FADD(lo, lo, 16);                      \
	FADD(hi, hi, 17)
