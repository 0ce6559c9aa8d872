package notice

import "strings"

// The widths of letters in parts of the size, by group. They are those of Helvetica
// (Adobe Font Metrics), and widen makes room for DejaVu Sans, which is wider.
const (
	narrowLetters = " iljtfrI.,:;'’|!()[]-/"
	wideLetters   = "mwMWQO@%ÖÄ…"
	narrowWidth   = 0.30
	wideWidth     = 0.84
	capitalWidth  = 0.69
	usualWidth    = 0.55
	widen         = 1.17
	boldWiden     = 1.07
)

// textLength estimates the length of a line, from above.
func textLength(text string, size float64, bold bool) float64 {
	sum := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune(narrowLetters, r):
			sum += narrowWidth
		case strings.ContainsRune(wideLetters, r):
			sum += wideWidth
		case r >= 'A' && r <= 'Z':
			sum += capitalWidth
		default:
			sum += usualWidth
		}
	}
	if bold {
		sum *= boldWiden
	}
	return sum * size * widen
}

// wrapText breaks a text into lines of at most width. A word that is longer, such as an
// address, is broken behind a slash, or anywhere.
func wrapText(text string, size, width float64, bold bool) (lines []string) {
	line := ""
	for word := range strings.SplitSeq(text, " ") { // a no-break space is not a place to break
		for textLength(word, size, bold) > width {
			n := len([]rune(word))
			for n > 1 && textLength(string([]rune(word)[:n]), size, bold) > width {
				n--
			}
			if i := strings.LastIndexByte(string([]rune(word)[:n]), '/'); i > 8 { // behind https://
				n = len([]rune(word[:i+1]))
			}
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, string([]rune(word)[:n])), string([]rune(word)[n:])
		}
		longer := strings.TrimSpace(line + " " + word)
		if textLength(longer, size, bold) > width && line != "" {
			lines, longer = append(lines, line), word
		}
		line = longer
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
