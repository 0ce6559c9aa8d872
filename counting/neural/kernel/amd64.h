// What the kernels for amd64 share: cursors over their arguments. A file that
// slides windows names its sums S0 to S7.

// STEPS puts the step at off(DI), in elements, into R9 and R10 in bytes.
#define STEPS(off) \
	MOVQ off(DI), R9;      \
	SHLQ $2, R9;           \
	LEAQ (R9)(R9*2), R10

// START loads a block's cursors: R8 the tile's first row, c and r the places
// of the result and of what is added.
#define START \
	MOVQ  p+0(FP), DI;            \
	MOVQ  Gemm_A(DI), R8;         \
	MOVQ  Gemm_AOff(DI), AX;      \
	LEAQ  (R8)(AX*4), R8;         \
	MOVQ  Gemm_C(DI), BX;         \
	MOVQ  Gemm_COff(DI), AX;      \
	LEAQ  (BX)(AX*4), BX;         \
	MOVQ  BX, c-8(SP);            \
	MOVQ  Gemm_Res(DI), BX;       \
	MOVQ  Gemm_ROff(DI), AX;      \
	LEAQ  (BX)(AX*4), BX;         \
	MOVQ  BX, r-16(SP);           \
	MOVQ  Gemm_tiles(DI), AX;     \
	MOVQ  AX, tiles-24(SP)

// SEGMENT points AX at the segment's first element of the first row and sets
// R13 to its length, R14 to the step between elements.
#define SEGMENT \
	MOVQ (R11), AX;               \
	LEAQ (R8)(AX*4), AX;          \
	MOVQ Gemm_SegLen(DI), R13;    \
	MOVQ Gemm_KStep(DI), R14;     \
	SHLQ $2, R14

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

// PUTSTEP points BX at the next output, with the step to the one after it in CX.
#define PUTSTEP \
	MOVQ out-32(SP), BX;       \
	MOVQ Taps_OutStep(DI), CX; \
	SHLQ $2, CX

// EIGHT applies OP to the tap's input of eight outputs.
#define EIGHT(OP) \
	LEAQ (AX)(R10*1), BX;   \
	LEAQ (BX)(R10*1), CX;   \
	OP((AX), S0);           \
	OP((AX)(R9*1), S1);     \
	OP((AX)(R9*2), S2);     \
	OP((BX), S3);           \
	OP((BX)(R9*1), S4);     \
	OP((BX)(R9*2), S5);     \
	OP((CX), S6);           \
	OP((CX)(R9*1), S7)

#define FOUR(OP) \
	LEAQ (AX)(R10*1), BX;   \
	OP((AX), S0);           \
	OP((AX)(R9*1), S1);     \
	OP((AX)(R9*2), S2);     \
	OP((BX), S3)

#define ONE(OP) OP((AX), S0)
