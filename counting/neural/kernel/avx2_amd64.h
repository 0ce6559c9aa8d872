// What the kernels for AVX2 and FMA share: eight channels to a register.

// For the logistic function, each eight times: -log2 e, the largest and the
// smallest exponent that is used, one, and 2^r on [0,1) as a polynomial of
// relative error 7.5e-8, highest power first. Then -infinity.
DATA wide<>+0(SB)/8, $0xbfb8aa3bbfb8aa3b
DATA wide<>+8(SB)/8, $0xbfb8aa3bbfb8aa3b
DATA wide<>+16(SB)/8, $0xbfb8aa3bbfb8aa3b
DATA wide<>+24(SB)/8, $0xbfb8aa3bbfb8aa3b
DATA wide<>+32(SB)/8, $0x42fc000042fc0000
DATA wide<>+40(SB)/8, $0x42fc000042fc0000
DATA wide<>+48(SB)/8, $0x42fc000042fc0000
DATA wide<>+56(SB)/8, $0x42fc000042fc0000
DATA wide<>+64(SB)/8, $0xc2fc0000c2fc0000
DATA wide<>+72(SB)/8, $0xc2fc0000c2fc0000
DATA wide<>+80(SB)/8, $0xc2fc0000c2fc0000
DATA wide<>+88(SB)/8, $0xc2fc0000c2fc0000
DATA wide<>+96(SB)/8, $0x3f8000003f800000
DATA wide<>+104(SB)/8, $0x3f8000003f800000
DATA wide<>+112(SB)/8, $0x3f8000003f800000
DATA wide<>+120(SB)/8, $0x3f8000003f800000
DATA wide<>+128(SB)/8, $0x3af619053af61905
DATA wide<>+136(SB)/8, $0x3af619053af61905
DATA wide<>+144(SB)/8, $0x3af619053af61905
DATA wide<>+152(SB)/8, $0x3af619053af61905
DATA wide<>+160(SB)/8, $0x3c1348073c134807
DATA wide<>+168(SB)/8, $0x3c1348073c134807
DATA wide<>+176(SB)/8, $0x3c1348073c134807
DATA wide<>+184(SB)/8, $0x3c1348073c134807
DATA wide<>+192(SB)/8, $0x3d64aa233d64aa23
DATA wide<>+200(SB)/8, $0x3d64aa233d64aa23
DATA wide<>+208(SB)/8, $0x3d64aa233d64aa23
DATA wide<>+216(SB)/8, $0x3d64aa233d64aa23
DATA wide<>+224(SB)/8, $0x3e75ead43e75ead4
DATA wide<>+232(SB)/8, $0x3e75ead43e75ead4
DATA wide<>+240(SB)/8, $0x3e75ead43e75ead4
DATA wide<>+248(SB)/8, $0x3e75ead43e75ead4
DATA wide<>+256(SB)/8, $0x3f31727b3f31727b
DATA wide<>+264(SB)/8, $0x3f31727b3f31727b
DATA wide<>+272(SB)/8, $0x3f31727b3f31727b
DATA wide<>+280(SB)/8, $0x3f31727b3f31727b
DATA wide<>+288(SB)/8, $0x3f7fffff3f7fffff
DATA wide<>+296(SB)/8, $0x3f7fffff3f7fffff
DATA wide<>+304(SB)/8, $0x3f7fffff3f7fffff
DATA wide<>+312(SB)/8, $0x3f7fffff3f7fffff
DATA wide<>+320(SB)/8, $0xff800000ff800000
DATA wide<>+328(SB)/8, $0xff800000ff800000
DATA wide<>+336(SB)/8, $0xff800000ff800000
DATA wide<>+344(SB)/8, $0xff800000ff800000
GLOBL wide<>(SB), RODATA|NOPTR, $352

// Eight lanes to keep, then eight to leave: from 4(8-n) on, n to keep.
DATA keep<>+0(SB)/8, $0xffffffffffffffff
DATA keep<>+8(SB)/8, $0xffffffffffffffff
DATA keep<>+16(SB)/8, $0xffffffffffffffff
DATA keep<>+24(SB)/8, $0xffffffffffffffff
DATA keep<>+32(SB)/8, $0
DATA keep<>+40(SB)/8, $0
DATA keep<>+48(SB)/8, $0
DATA keep<>+56(SB)/8, $0
GLOBL keep<>(SB), RODATA|NOPTR, $64

// EXPNEG puts e^-x in Y13: y = -x·log2 e, then 2^(y-floor y) with floor y added
// to its exponent. Y12 and Y14 are spent.
#define EXPNEG(x) \
	VMULPS       wide<>+0(SB), x, Y12;       \
	VMINPS       wide<>+32(SB), Y12, Y12;    \
	VMAXPS       wide<>+64(SB), Y12, Y12;    \
	VROUNDPS     $9, Y12, Y13;               \
	VSUBPS       Y13, Y12, Y12;              \
	VCVTPS2DQ    Y13, Y13;                   \
	VPSLLD       $23, Y13, Y13;              \
	VMOVUPS      wide<>+128(SB), Y14;        \
	VFMADD213PS  wide<>+160(SB), Y12, Y14;   \
	VFMADD213PS  wide<>+192(SB), Y12, Y14;   \
	VFMADD213PS  wide<>+224(SB), Y12, Y14;   \
	VFMADD213PS  wide<>+256(SB), Y12, Y14;   \
	VFMADD213PS  wide<>+288(SB), Y12, Y14;   \
	VPADDD       Y13, Y14, Y13

// LOGISTIC puts 1/(1+e^-x) in Y13, by a 12-bit reciprocal and one Newton step.
#define LOGISTIC(x) \
	EXPNEG(x);                               \
	VADDPS       wide<>+96(SB), Y13, Y13;    \
	VRCPPS       Y13, Y14;                   \
	VFNMADD213PS wide<>+96(SB), Y14, Y13;    \
	VFMADD213PS  Y14, Y14, Y13

#define SILU(x) \
	LOGISTIC(x); \
	VMULPS Y13, x, x

#define SIGM(x) \
	LOGISTIC(x); \
	VMOVAPS Y13, x

// CLIP bounds x by Y12 and Y13.
#define CLIP(x) \
	VMAXPS Y12, x, x; \
	VMINPS Y13, x, x

#define ALL1(F)  F(Y0)
#define ALL4(F)  F(Y0); F(Y1); F(Y2); F(Y3)
#define ALL8(F)  ALL4(F); F(Y4); F(Y5); F(Y6); F(Y7)
#define ALL12(F) ALL8(F); F(Y8); F(Y9); F(Y10); F(Y11)
#define ALL6(F)  ALL4(F); F(Y4); F(Y5)

// ACT applies the function whose kind and bounds lie at act(DI).
#define ACT(act, ALL) \
	MOVQ         act+Act_Kind(DI), AX;        \
	CMPQ         AX, $const_None;             \
	JEQ          actdone;                     \
	CMPQ         AX, $const_SiLU;             \
	JEQ          silu;                        \
	CMPQ         AX, $const_Sigmoid;          \
	JEQ          sigmoid;                     \
	VBROADCASTSS act+Act_Lo(DI), Y12;         \
	VBROADCASTSS act+Act_Hi(DI), Y13;         \
	ALL(CLIP);                                \
	JMP          actdone;                     \
silu:                                         \
	ALL(SILU);                                \
	JMP          actdone;                     \
sigmoid:                                      \
	ALL(SIGM);                                \
actdone:
