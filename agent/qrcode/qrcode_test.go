package qrcode

import (
	"strings"
	"testing"

	"rsc.io/qr"
)

// Both drawings are read back module by module and compared with the encoder's.
func TestTheDrawingsHoldTheModulesOfTheCode(t *testing.T) {
	const text = "http://192.168.1.20:8080/?code=123456"
	path, side, err := DrawPath(text)
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	if side != code.Size+8 || strings.Count(path, "z") != countRuns(code) {
		t.Errorf("side %d for %d modules, %d runs of %d", side, code.Size, strings.Count(path, "z"), countRuns(code))
	}

	blocks, err := DrawBlocks(text)
	if err != nil {
		t.Fatal(err)
	}
	if code, err = qr.Encode(text, qr.L); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(blocks), "\n")
	if len(rows) != (code.Size+9)/2 {
		t.Fatalf("%d lines for %d modules", len(rows), code.Size)
	}
	for y, row := range rows {
		cells := []rune(strings.TrimSuffix(strings.TrimPrefix(row, blackOnWhite), plain))
		for x, r := range cells {
			upper, lower := r == '▀' || r == '█', r == '▄' || r == '█'
			if upper != code.Black(x-4, 2*y-4) || lower != code.Black(x-4, 2*y+1-4) {
				t.Fatalf("%q at %d, %d", r, x, y)
			}
		}
	}
}

// countRuns counts the horizontal runs of dark modules.
func countRuns(code *qr.Code) (n int) {
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) && !code.Black(x-1, y) {
				n++
			}
		}
	}
	return n
}

func TestATextThatIsTooLongIsAnError(t *testing.T) {
	long := strings.Repeat("x", 4000)
	if _, _, err := DrawPath(long); err == nil {
		t.Error("no error of DrawPath")
	}
	if _, err := DrawBlocks(long); err == nil {
		t.Error("no error of DrawBlocks")
	}
}

func TestTwoCodesStandBesideEachOther(t *testing.T) {
	short, err := DrawBlocks("WIFI:T:WPA;S:pole;P:abcdefgh2345;;")
	if err != nil {
		t.Fatal(err)
	}
	long, err := DrawBlocks("http://192.168.77.1:8080/?code=123456&a-longer-text-than-that=1234567890")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{short, long}, {long, short}} {
		rows := strings.Split(strings.TrimSuffix(JoinBlocks(c[0], c[1]), "\n"), "\n")
		var left, right strings.Builder
		for _, row := range rows {
			l, r, both := strings.Cut(row, plain+"  ")
			if both {
				left.WriteString(l + plain + "\n")
			} else if strings.HasPrefix(row, " ") {
				r = strings.TrimLeft(row, " ")
			} else {
				left.WriteString(row + "\n")
			}
			if r != "" {
				right.WriteString(r + "\n")
			}
		}
		if left.String() != c[0] || right.String() != c[1] {
			t.Errorf("joined:\n%s", strings.Join(rows, "\n"))
		}
	}
}
