#include "textflag.h"

// The six-tap filter of sixtap.go with NEON, which every arm64 has, on 8 columns. The
// sum a - 5(b+e) + 20(c+d) + f is computed as a + f + 5(4(c+d) - (b+e)), in 16 bits, and
// in 32 bits in the second pass of both directions. Instructions that Go's assembler
// lacks stand as words, each with its name.

// SUM leaves the filter of V0 to V5 in V6; V7 is spent.
#define SUM \
	VADD V2.H8, V3.H8, V6.H8; \
	VSHL $2, V6.H8, V6.H8; \
	VADD V1.H8, V4.H8, V7.H8; \
	VSUB V7.H8, V6.H8, V6.H8; \
	VSHL $2, V6.H8, V7.H8; \
	VADD V7.H8, V6.H8, V6.H8; \
	VADD V0.H8, V6.H8, V6.H8; \
	VADD V5.H8, V6.H8, V6.H8

// BYTES rounds V6 and narrows it to bytes: SQRSHRUN V6.8B, V6.8H, #5.
#define BYTES WORD $0x2f0b8cc6

// ROW loads the six shifted rows at R2 to V0 to V5 as words; R10 is spent.
#define ROW \
	VLD1   (R2), [V0.B8]; \
	ADD    $1, R2, R10; \
	VLD1   (R10), [V1.B8]; \
	ADD    $2, R2, R10; \
	VLD1   (R10), [V2.B8]; \
	ADD    $3, R2, R10; \
	VLD1   (R10), [V3.B8]; \
	ADD    $4, R2, R10; \
	VLD1   (R10), [V4.B8]; \
	ADD    $5, R2, R10; \
	VLD1   (R10), [V5.B8]; \
	VUSHLL $0, V0.B8, V0.H8; \
	VUSHLL $0, V1.B8, V1.H8; \
	VUSHLL $0, V2.B8, V2.H8; \
	VUSHLL $0, V3.B8, V3.H8; \
	VUSHLL $0, V4.B8, V4.H8; \
	VUSHLL $0, V5.B8, V5.H8

// SHIFT moves the rows up by one.
#define SHIFT \
	VMOV V1.B16, V0.B16; \
	VMOV V2.B16, V1.B16; \
	VMOV V3.B16, V2.B16; \
	VMOV V4.B16, V3.B16; \
	VMOV V5.B16, V4.B16

// func filterAcross8(dst *byte, stride int, src *byte, from, w, h int)
TEXT ·filterAcross8(SB), NOSPLIT, $0-48
	MOVD dst+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD src+16(FP), R2
	MOVD from+24(FP), R3
	MOVD w+32(FP), R4
	MOVD h+40(FP), R5

across:
	ROW
	SUM
	BYTES
	CMP  $4, R4
	BEQ  across4
	VST1 [V6.B8], (R0)
	B    acrossNext

across4:
	VST1 V6.S[0], (R0)

acrossNext:
	ADD  R3, R2
	ADD  R1, R0
	SUBS $1, R5
	BNE  across
	RET

// func filterDown8(dst *byte, stride int, src *byte, from, w, h int)
TEXT ·filterDown8(SB), NOSPLIT, $0-48
	MOVD   dst+0(FP), R0
	MOVD   stride+8(FP), R1
	MOVD   src+16(FP), R2
	MOVD   from+24(FP), R3
	MOVD   w+32(FP), R4
	MOVD   h+40(FP), R5
	VLD1   (R2), [V0.B8]
	ADD    R3, R2
	VLD1   (R2), [V1.B8]
	ADD    R3, R2
	VLD1   (R2), [V2.B8]
	ADD    R3, R2
	VLD1   (R2), [V3.B8]
	ADD    R3, R2
	VLD1   (R2), [V4.B8]
	ADD    R3, R2
	VUSHLL $0, V0.B8, V0.H8
	VUSHLL $0, V1.B8, V1.H8
	VUSHLL $0, V2.B8, V2.H8
	VUSHLL $0, V3.B8, V3.H8
	VUSHLL $0, V4.B8, V4.H8

down:
	VLD1   (R2), [V5.B8]
	VUSHLL $0, V5.B8, V5.H8
	SUM
	BYTES
	CMP    $4, R4
	BEQ    down4
	VST1   [V6.B8], (R0)
	B      downNext

down4:
	VST1 V6.S[0], (R0)

downNext:
	SHIFT
	ADD  R3, R2
	ADD  R1, R0
	SUBS $1, R5
	BNE  down
	RET

// func filterRows8(rows *int16, src *byte, from, h int)
TEXT ·filterRows8(SB), NOSPLIT, $0-32
	MOVD rows+0(FP), R0
	MOVD src+8(FP), R2
	MOVD from+16(FP), R3
	MOVD h+24(FP), R5

rowsLoop:
	ROW
	SUM
	VST1 [V6.H8], (R0)
	ADD  $32, R0
	ADD  R3, R2
	SUBS $1, R5
	BNE  rowsLoop
	RET

// WIDE leaves x + 5(4z - y) in x, in 32 bits; y and z are spent.
#define WIDE(x, y, z) \
	VSHL $2, z.S4, z.S4; \
	VSUB y.S4, z.S4, z.S4; \
	VSHL $2, z.S4, y.S4; \
	VADD y.S4, z.S4, z.S4; \
	VADD z.S4, x.S4, x.S4

// func filterColumns8(dst *byte, stride int, rows *int16, w, h int)
TEXT ·filterColumns8(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD rows+16(FP), R2
	MOVD w+24(FP), R4
	MOVD h+32(FP), R5
	VLD1 (R2), [V0.H8]
	ADD  $32, R2
	VLD1 (R2), [V1.H8]
	ADD  $32, R2
	VLD1 (R2), [V2.H8]
	ADD  $32, R2
	VLD1 (R2), [V3.H8]
	ADD  $32, R2
	VLD1 (R2), [V4.H8]
	ADD  $32, R2

columns:
	VLD1 (R2), [V5.H8]
	WORD $0x0e650006 // SADDL V6.4S, V0.4H, V5.4H
	WORD $0x0e640027 // SADDL V7.4S, V1.4H, V4.4H
	WORD $0x0e630048 // SADDL V8.4S, V2.4H, V3.4H
	WORD $0x4e650009 // SADDL2 V9.4S, V0.8H, V5.8H
	WORD $0x4e64002a // SADDL2 V10.4S, V1.8H, V4.8H
	WORD $0x4e63004b // SADDL2 V11.4S, V2.8H, V3.8H
	WIDE(V6, V7, V8)
	WIDE(V9, V10, V11)
	WORD $0x2f168cc6 // SQRSHRUN V6.4H, V6.4S, #10
	WORD $0x6f168d26 // SQRSHRUN2 V6.8H, V9.4S, #10
	WORD $0x2e2148c6 // UQXTN V6.8B, V6.8H
	CMP  $4, R4
	BEQ  columns4
	VST1 [V6.B8], (R0)
	B    columnsNext

columns4:
	VST1 V6.S[0], (R0)

columnsNext:
	SHIFT
	ADD  $32, R2
	ADD  R1, R0
	SUBS $1, R5
	BNE  columns
	RET

// func average(dst *byte, stride int, src *byte, from, w, h int)
TEXT ·average(SB), NOSPLIT, $0-48
	MOVD dst+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD src+16(FP), R2
	MOVD from+24(FP), R3
	MOVD w+32(FP), R4
	MOVD h+40(FP), R5
	CMP  $8, R4
	BEQ  average8
	BLT  average4

average16:
	VLD1 (R0), [V0.B16]
	VLD1 (R2), [V1.B16]
	WORD $0x6e211400 // URHADD V0.16B, V0.16B, V1.16B
	VST1 [V0.B16], (R0)
	ADD  R3, R2
	ADD  R1, R0
	SUBS $1, R5
	BNE  average16
	RET

average8:
	VLD1 (R0), [V0.B8]
	VLD1 (R2), [V1.B8]
	WORD $0x2e211400 // URHADD V0.8B, V0.8B, V1.8B
	VST1 [V0.B8], (R0)
	ADD  R3, R2
	ADD  R1, R0
	SUBS $1, R5
	BNE  average8
	RET

average4:
	VLD1 (R0), V0.S[0]
	VLD1 (R2), V1.S[0]
	WORD $0x2e211400 // URHADD V0.8B, V0.8B, V1.8B
	VST1 V0.S[0], (R0)
	ADD  R3, R2
	ADD  R1, R0
	SUBS $1, R5
	BNE  average4
	RET
