// Package qrcode draws the QR code of an address (ISO/IEC 18004): for a terminal as half
// blocks, and as the path of an SVG.
//
// It refuses to choose a size in millimetres or pixels: the module is its unit.
package qrcode

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"rsc.io/qr"
)

// quietZone is the white border around the code in modules, ISO/IEC 18004, 9.1.
const quietZone = 4

// DrawPath returns the path of an SVG with the dark modules of a text's code, and the
// side of the code with its quiet zone, both in modules. Level M restores 15 % of the
// code. A text that is too long for a code is an error.
func DrawPath(text string) (path string, side int, err error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", 0, fmt.Errorf("draw a QR code: %w", err)
	}
	var b strings.Builder
	for row := range code.Size {
		for col := 0; col < code.Size; col++ {
			start := col
			for col < code.Size && code.Black(col, row) {
				col++
			}
			if col > start {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", start+quietZone, row+quietZone, col-start, col-start)
			}
		}
	}
	return b.String(), code.Size + 2*quietZone, nil
}

// The escape sequences for black letters on white (ECMA-48, 8.3.117; 107 is bright white
// of aixterm), and back: a code must be dark on light, whatever the colours of the
// terminal.
const blackOnWhite, plain = "\x1b[30;107m", "\x1b[0m"

// halfBlocks are two modules, one above the other, as one character: neither, upper,
// lower, both.
var halfBlocks = [4]string{" ", "▀", "▄", "█"}

// DrawBlocks returns a text's code for a terminal: lines of half blocks, black on white.
// Level L keeps it small: a screen is clean. A text that is too long is an error.
func DrawBlocks(text string) (string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", fmt.Errorf("draw a QR code: %w", err)
	}
	black := func(x, y int) int {
		if code.Black(x-quietZone, y-quietZone) { // false outside
			return 1
		}
		return 0
	}
	var b strings.Builder
	side := code.Size + 2*quietZone
	for y := 0; y < side; y += 2 {
		b.WriteString(blackOnWhite)
		for x := range side {
			b.WriteString(halfBlocks[black(x, y)+2*black(x, y+1)])
		}
		b.WriteString(plain + "\n")
	}
	return b.String(), nil
}

// JoinBlocks returns two codes of DrawBlocks beside each other.
func JoinBlocks(left, right string) string {
	ls, rs := strings.Split(strings.TrimSuffix(left, "\n"), "\n"), strings.Split(strings.TrimSuffix(right, "\n"), "\n")
	blank := strings.Repeat(" ", utf8.RuneCountInString(strings.TrimSuffix(strings.TrimPrefix(ls[0], blackOnWhite), plain)))
	var b strings.Builder
	for i := range max(len(ls), len(rs)) {
		line := blank
		if i < len(ls) {
			line = ls[i]
		}
		if i < len(rs) {
			line += "  " + rs[i]
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
