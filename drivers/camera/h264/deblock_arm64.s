#include "textflag.h"

// The filter of deblock.go for bS below 4 with NEON, on 8 samples along an edge, as
// words: P2 to Q2 in V0 to V5. Go's assembler lacks most of the instructions: they
// stand as words, each with its name.

// NORMAL filters P1 to Q1, V1 to V4. V12 is alpha, V13 beta, V14 tC0 or -1.
#define NORMAL \
	WORD $0x6e6089c7; /* CMGE V7.8H, V14.8H, #0 */ \
	WORD $0x4e637446; /* SABD V6.8H, V2.8H, V3.8H */ \
	WORD $0x4e663588; /* CMGT V8.8H, V12.8H, V6.8H */ \
	WORD $0x4e281ce7; /* AND V7.16B, V7.16B, V8.16B */ \
	WORD $0x4e627426; /* SABD V6.8H, V1.8H, V2.8H */ \
	WORD $0x4e6635a8; /* CMGT V8.8H, V13.8H, V6.8H */ \
	WORD $0x4e281ce7; /* AND V7.16B, V7.16B, V8.16B */ \
	WORD $0x4e637486; /* SABD V6.8H, V4.8H, V3.8H */ \
	WORD $0x4e6635a8; /* CMGT V8.8H, V13.8H, V6.8H */ \
	WORD $0x4e281ce7; /* AND V7.16B, V7.16B, V8.16B */ \
	WORD $0x4e627406; /* SABD V6.8H, V0.8H, V2.8H */ \
	WORD $0x4e6635a8; /* CMGT V8.8H, V13.8H, V6.8H */ \
	WORD $0x4e271d08; /* AND V8.16B, V8.16B, V7.16B */ \
	WORD $0x4e6374a6; /* SABD V6.8H, V5.8H, V3.8H */ \
	WORD $0x4e6635a9; /* CMGT V9.8H, V13.8H, V6.8H */ \
	WORD $0x4e271d29; /* AND V9.16B, V9.16B, V7.16B */ \
	WORD $0x6e631446; /* URHADD V6.8H, V2.8H, V3.8H */ \
	WORD $0x6e60b9ca; /* NEG V10.8H, V14.8H */ \
	WORD $0x4e668400; /* ADD V0.8H, V0.8H, V6.8H */ \
	WORD $0x6e618400; /* SUB V0.8H, V0.8H, V1.8H */ \
	WORD $0x6e618400; /* SUB V0.8H, V0.8H, V1.8H */ \
	WORD $0x4f1f0400; /* SSHR V0.8H, V0.8H, #1 */ \
	WORD $0x4e6e6c00; /* SMIN V0.8H, V0.8H, V14.8H */ \
	WORD $0x4e6a6400; /* SMAX V0.8H, V0.8H, V10.8H */ \
	WORD $0x4e281c00; /* AND V0.16B, V0.16B, V8.16B */ \
	WORD $0x4e6684a5; /* ADD V5.8H, V5.8H, V6.8H */ \
	WORD $0x6e6484a5; /* SUB V5.8H, V5.8H, V4.8H */ \
	WORD $0x6e6484a5; /* SUB V5.8H, V5.8H, V4.8H */ \
	WORD $0x4f1f04a5; /* SSHR V5.8H, V5.8H, #1 */ \
	WORD $0x4e6e6ca5; /* SMIN V5.8H, V5.8H, V14.8H */ \
	WORD $0x4e6a64a5; /* SMAX V5.8H, V5.8H, V10.8H */ \
	WORD $0x4e291ca5; /* AND V5.16B, V5.16B, V9.16B */ \
	WORD $0x6e628466; /* SUB V6.8H, V3.8H, V2.8H */ \
	WORD $0x4f1254c6; /* SHL V6.8H, V6.8H, #2 */ \
	WORD $0x4e6184c6; /* ADD V6.8H, V6.8H, V1.8H */ \
	WORD $0x6e6484c6; /* SUB V6.8H, V6.8H, V4.8H */ \
	WORD $0x4f1d24c6; /* SRSHR V6.8H, V6.8H, #3 */ \
	WORD $0x6e6885ce; /* SUB V14.8H, V14.8H, V8.8H */ \
	WORD $0x6e6985ce; /* SUB V14.8H, V14.8H, V9.8H */ \
	WORD $0x6e60b9ca; /* NEG V10.8H, V14.8H */ \
	WORD $0x4e6e6cc6; /* SMIN V6.8H, V6.8H, V14.8H */ \
	WORD $0x4e6a64c6; /* SMAX V6.8H, V6.8H, V10.8H */ \
	WORD $0x4e271cc6; /* AND V6.16B, V6.16B, V7.16B */ \
	WORD $0x4e668442; /* ADD V2.8H, V2.8H, V6.8H */ \
	WORD $0x6e668463; /* SUB V3.8H, V3.8H, V6.8H */ \
	WORD $0x4e608421; /* ADD V1.8H, V1.8H, V0.8H */ \
	WORD $0x4e658484; /* ADD V4.8H, V4.8H, V5.8H */ \
	WORD $0x2e212821; /* SQXTUN V1.8B, V1.8H */ \
	WORD $0x2e212842; /* SQXTUN V2.8B, V2.8H */ \
	WORD $0x2e212863; /* SQXTUN V3.8B, V3.8H */ \
	WORD $0x2e212884 /* SQXTUN V4.8B, V4.8H */

// BOUNDS spreads alpha, beta and tC0 of two parts of 4 samples.
#define BOUNDS \
	WORD $0x4e020c4c; /* DUP V12.8H, W2 */ \
	WORD $0x4e020c6d; /* DUP V13.8H, W3 */ \
	WORD $0x0e020c8e; /* DUP V14.4H, W4 */ \
	WORD $0x0e020caf; /* DUP V15.4H, W5 */ \
	WORD $0x6e1805ee /* MOV V14.D[1], V15.D[0] */

// WIDEN makes words of the bytes in V0 to V5.
#define WIDEN \
	WORD $0x2f08a400; /* UXTL V0.8H, V0.8B */ \
	WORD $0x2f08a421; /* UXTL V1.8H, V1.8B */ \
	WORD $0x2f08a442; /* UXTL V2.8H, V2.8B */ \
	WORD $0x2f08a463; /* UXTL V3.8H, V3.8B */ \
	WORD $0x2f08a484; /* UXTL V4.8H, V4.8B */ \
	WORD $0x2f08a4a5 /* UXTL V5.8H, V5.8B */

// func filterBelow8(q0 *byte, stride, alpha, beta, tc0, tc1 int)
TEXT ·filterBelow8(SB), NOSPLIT, $0-48
	MOVD q0+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD alpha+16(FP), R2
	MOVD beta+24(FP), R3
	MOVD tc0+32(FP), R4
	MOVD tc1+40(FP), R5
	BOUNDS
	SUB  R1, R0, R6
	SUB  R1, R6, R6
	SUB  R1, R6, R6
	ADD  R1, R6, R7
	WORD $0x0cc170c0 // LD1 {V0.8B}, [X6], X1
	WORD $0x0cc170c1 // LD1 {V1.8B}, [X6], X1
	WORD $0x0cc170c2 // LD1 {V2.8B}, [X6], X1
	WORD $0x0cc170c3 // LD1 {V3.8B}, [X6], X1
	WORD $0x0cc170c4 // LD1 {V4.8B}, [X6], X1
	WORD $0x0cc170c5 // LD1 {V5.8B}, [X6], X1
	WIDEN
	NORMAL
	WORD $0x0c8170e1 // ST1 {V1.8B}, [X7], X1
	WORD $0x0c8170e2 // ST1 {V2.8B}, [X7], X1
	WORD $0x0c8170e3 // ST1 {V3.8B}, [X7], X1
	WORD $0x0c8170e4 // ST1 {V4.8B}, [X7], X1
	RET

// func filterBeside8(q0 *byte, stride, alpha, beta, tc0, tc1 int)
TEXT ·filterBeside8(SB), NOSPLIT, $0-48
	MOVD q0+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD alpha+16(FP), R2
	MOVD beta+24(FP), R3
	MOVD tc0+32(FP), R4
	MOVD tc1+40(FP), R5
	BOUNDS
	SUB  $4, R0, R6
	SUB  $2, R0, R7
	WORD $0x0cc170d0 // LD1 {V16.8B}, [X6], X1
	WORD $0x0cc170d1 // LD1 {V17.8B}, [X6], X1
	WORD $0x0cc170d2 // LD1 {V18.8B}, [X6], X1
	WORD $0x0cc170d3 // LD1 {V19.8B}, [X6], X1
	WORD $0x0cc170d4 // LD1 {V20.8B}, [X6], X1
	WORD $0x0cc170d5 // LD1 {V21.8B}, [X6], X1
	WORD $0x0cc170d6 // LD1 {V22.8B}, [X6], X1
	WORD $0x0cc170d7 // LD1 {V23.8B}, [X6], X1
	WORD $0x0e112a18 // TRN1 V24.8B, V16.8B, V17.8B
	WORD $0x0e116a19 // TRN2 V25.8B, V16.8B, V17.8B
	WORD $0x0e132a5a // TRN1 V26.8B, V18.8B, V19.8B
	WORD $0x0e136a5b // TRN2 V27.8B, V18.8B, V19.8B
	WORD $0x0e152a9c // TRN1 V28.8B, V20.8B, V21.8B
	WORD $0x0e156a9d // TRN2 V29.8B, V20.8B, V21.8B
	WORD $0x0e172ade // TRN1 V30.8B, V22.8B, V23.8B
	WORD $0x0e176adf // TRN2 V31.8B, V22.8B, V23.8B
	WORD $0x0e5a6b12 // TRN2 V18.4H, V24.4H, V26.4H
	WORD $0x0e5a2b10 // TRN1 V16.4H, V24.4H, V26.4H
	WORD $0x0e5b2b31 // TRN1 V17.4H, V25.4H, V27.4H
	WORD $0x0e5b6b33 // TRN2 V19.4H, V25.4H, V27.4H
	WORD $0x0e5e6b96 // TRN2 V22.4H, V28.4H, V30.4H
	WORD $0x0e5e2b94 // TRN1 V20.4H, V28.4H, V30.4H
	WORD $0x0e5f2bb5 // TRN1 V21.4H, V29.4H, V31.4H
	WORD $0x0e5f6bb7 // TRN2 V23.4H, V29.4H, V31.4H
	WORD $0x0e952a20 // TRN1 V0.2S, V17.2S, V21.2S
	WORD $0x0e962a41 // TRN1 V1.2S, V18.2S, V22.2S
	WORD $0x0e972a62 // TRN1 V2.2S, V19.2S, V23.2S
	WORD $0x0e946a03 // TRN2 V3.2S, V16.2S, V20.2S
	WORD $0x0e956a24 // TRN2 V4.2S, V17.2S, V21.2S
	WORD $0x0e966a45 // TRN2 V5.2S, V18.2S, V22.2S
	WIDEN
	NORMAL
	WORD $0x0da120e1 // ST4 {V1.B-V4.B}[0], [X7], X1
	WORD $0x0da124e1 // ST4 {V1.B-V4.B}[1], [X7], X1
	WORD $0x0da128e1 // ST4 {V1.B-V4.B}[2], [X7], X1
	WORD $0x0da12ce1 // ST4 {V1.B-V4.B}[3], [X7], X1
	WORD $0x0da130e1 // ST4 {V1.B-V4.B}[4], [X7], X1
	WORD $0x0da134e1 // ST4 {V1.B-V4.B}[5], [X7], X1
	WORD $0x0da138e1 // ST4 {V1.B-V4.B}[6], [X7], X1
	WORD $0x0da13ce1 // ST4 {V1.B-V4.B}[7], [X7], X1
	RET
