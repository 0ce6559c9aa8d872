package camera

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"kerb/drivers/camera/luma"
)

// A YUV4MPEG2 stream is one header line with the size and the colour layout, then
// pictures, each after a line that begins with FRAME: yuv4mpeg(5) of mjpegtools.
const (
	y4mMark    = "YUV4MPEG2"
	y4mFrame   = "FRAME"
	y4mMaxLine = 512 // bytes of a line; chosen by hand
)

// parseHeadByte checks one byte of the FRAME line.
func (p *rawProgress) parseHeadByte(b byte) error {
	switch {
	case p.headBytes < len(y4mFrame) && b != y4mFrame[p.headBytes]:
		return luma.FormatError("YUV4MPEG2: FRAME expected")
	case b == '\n' && p.headBytes >= len(y4mFrame):
		p.headed = true
	case p.headBytes > y4mMaxLine:
		return luma.FormatError("YUV4MPEG2: a line without end")
	}
	p.headBytes++
	return nil
}

// readY4MHeader reads the header line.
func readY4MHeader(ctx context.Context, limit <-chan time.Time, p *chunkReader) (Layout, error) {
	var text []byte
	for {
		var b [1]byte
		if _, _, err := p.readBytes(ctx, limit, b[:]); err != nil {
			return Layout{}, err
		}
		if b[0] == '\n' {
			return parseY4MHeader(string(text))
		}
		if text = append(text, b[0]); len(text) > y4mMaxLine {
			return Layout{}, luma.FormatError("YUV4MPEG2: a line without end")
		}
	}
}

// parseY4MHeader reads W, H and C of the header line, and refuses colour layouts
// of more than eight bits. Without C the layout is 4:2:0.
func parseY4MHeader(line string) (Layout, error) {
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != y4mMark {
		return Layout{}, luma.FormatError("YUV4MPEG2 expected")
	}
	y := Layout{Headed: true}
	colour := "420jpeg"
	for _, w := range words[1:] {
		var err error
		switch w[0] {
		case 'W':
			y.Width, err = strconv.Atoi(w[1:])
		case 'H':
			y.Height, err = strconv.Atoi(w[1:])
		case 'C':
			colour = w[1:]
		}
		if err != nil {
			return y, luma.FormatError("YUV4MPEG2: " + strconv.Quote(w))
		}
	}
	if err := y.checkSize(); err != nil {
		return y, err
	}
	half, size := (y.Width+1)/2, y.Width*y.Height
	switch {
	case colour == "mono":
	case colour == "420" || colour == "420jpeg" || colour == "420mpeg2" || colour == "420paldv":
		y.Colour = 2 * half * ((y.Height + 1) / 2)
	case colour == "411":
		y.Colour = 2 * ((y.Width + 3) / 4) * y.Height
	case colour == "422":
		y.Colour = 2 * half * y.Height
	case colour == "444":
		y.Colour = 2 * size
	case colour == "444alpha":
		y.Colour = 3 * size
	default:
		return y, errors.New("YUV4MPEG2 of another colour: must have eight bits: ask for gray or yuv420p")
	}
	return y, nil
}
