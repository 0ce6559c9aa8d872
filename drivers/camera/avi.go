package camera

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kerb/drivers/camera/luma"
)

// AVI reads a Motion-JPEG AVI file. Pictures are numbered from 0; an empty chunk
// takes no number. Picture n is at n/Rate seconds after 1970.
type AVI struct {
	name       string
	file       io.Closer
	chunks     riffReader
	firstFrame riffReader // the reader's position before the first frame
	stream     int        // number of the video stream
	rate       float64    // pictures per second
	limits     Limits
	format     format
	index      int
	buf        []byte
	dec        luma.Decoder
	err        error // of the end
	closed     atomic.Bool
	mu         sync.Mutex // held by a read, because Close frees the memory
}

// OpenAVI opens a Motion-JPEG AVI file, of any length, with or without an index.
// The first picture with a readable header sets the size. It refuses files that
// are not regular, have no video stream, or hold another coding than Motion-JPEG.
func OpenAVI(path string, l Limits) (*AVI, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	a, err := openAVIReader(f, info.Size(), path, l)
	if err != nil {
		f.Close()
		return nil, err
	}
	a.file = f
	return a, nil
}

// openAVIReader reads the headers and the size. name stands in errors.
func openAVIReader(r io.ReaderAt, length int64, name string, l Limits) (*AVI, error) {
	a := &AVI{name: name, limits: l.withDefaults(), chunks: riffReader{r: r, length: length}}
	a.dec.Memory = a.limits.Memory
	if err := a.readHeaders(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	a.firstFrame = a.chunks
	if err := a.findFormat(); err != nil {
		a.limits.Memory.Free(a.buf)
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	a.chunks = a.firstFrame
	return a, nil
}

const (
	aviHeaderLen = 40 // bytes of avih, strh and strf that are read
	riffMagicLen = 12 // RIFF, length, AVI
	// minAVIRate and maxRate bound the declared rate, in pictures per second.
	minAVIRate = 1e-3
)

// readHeaders reads the header chunks up to the movi list: which stream is video,
// its rate and its coding.
func (a *AVI) readHeaders() error {
	var magic [riffMagicLen]byte
	if n, _ := a.chunks.r.ReadAt(magic[:], 0); n < riffMagicLen || string(magic[:4]) != "RIFF" || string(magic[8:]) != "AVI " {
		return errors.New("is not an AVI file")
	}
	var main, stream, format [aviHeaderLen]byte
	streams, video := 0, -1
	for {
		before := a.chunks
		c, err := a.chunks.nextChunk()
		if err == io.EOF {
			return errors.New("has no frames")
		}
		if err != nil {
			return a.addRepairHint(err)
		}
		if a.chunks.inMovi {
			a.chunks = before
			break
		}
		switch id := string(c.id[:]); {
		case id == "avih":
			err = a.readChunkStart(main[:], c)
		case id == "strh":
			var b [aviHeaderLen]byte
			err = a.readChunkStart(b[:], c)
			if video < 0 && string(b[:4]) == "vids" {
				video, stream = streams, b
			}
			streams++
		case id == "strf" && video == streams-1 && video >= 0:
			err = a.readChunkStart(format[:], c)
		}
		if err != nil {
			return a.addRepairHint(err)
		}
	}
	if video < 0 {
		return errors.New("has no video stream")
	}
	a.stream = video
	if err := checkCoding(string(format[16:20])); err != nil { // biCompression
		return err
	}
	return a.parseRate(main[:], stream[:])
}

// readChunkStart reads the first bytes of a chunk. Bytes beyond its end stay zero.
func (a *AVI) readChunkStart(b []byte, c riffChunk) error {
	return a.chunks.readFull(b[:min(int64(len(b)), c.size)], c.at)
}

// checkCoding refuses every coding but Motion-JPEG, by its FourCC.
func checkCoding(fourcc string) error {
	switch strings.ToUpper(fourcc) {
	case "MJPG", "JPEG", "AVRN", "JPGL", "DMB1":
		return nil
	}
	return fmt.Errorf("holds %s, not Motion-JPEG: convert it with ffmpeg -i IN -an -c:v mjpeg -q:v 3 OUT.avi", nameCoding(fourcc))
}

// codings are the names of codings by their FourCC, in upper case. A code that is not
// here is not quoted: a file that a camera wrote may hold anything in its place.
var codings = map[string]string{
	"H264": "H.264 video", "X264": "H.264 video", "AVC1": "H.264 video", "AVC3": "H.264 video",
	"H265": "H.265 video", "HEVC": "H.265 video", "HVC1": "H.265 video", "HEV1": "H.265 video",
	"XVID": "MPEG-4 video (XVID)", "DIVX": "MPEG-4 video (DIVX)", "DX50": "MPEG-4 video (DX50)", "MP4V": "MPEG-4 video", "FMP4": "MPEG-4 video",
	"VP08": "VP8 video", "VP80": "VP8 video", "VP09": "VP9 video", "VP90": "VP9 video", "AV01": "AV1 video",
	"DIB ": "raw video", "YUY2": "raw video (YUY2)", "I420": "raw video (I420)", "CVID": "Cinepak video", "DVSD": "DV video",
}

// nameCoding returns the name of the coding with a FourCC.
func nameCoding(fourcc string) string {
	if name := codings[strings.ToUpper(fourcc)]; name != "" {
		return name
	}
	return "video of another coding"
}

// parseRate takes the pictures per second from dwRate/dwScale of the stream header
// (strh), or else from dwMicroSecPerFrame of the main header (avih).
func (a *AVI) parseRate(main, stream []byte) error {
	scale := binary.LittleEndian.Uint32(stream[20:])
	rate := binary.LittleEndian.Uint32(stream[24:])
	micros := binary.LittleEndian.Uint32(main)
	switch {
	case scale > 0 && rate > 0:
		a.rate = float64(rate) / float64(scale)
	case micros > 0:
		a.rate = 1e6 / float64(micros)
	}
	if a.rate < minAVIRate || a.rate > maxRate {
		return fmt.Errorf("declares %g pictures a second", a.rate)
	}
	return nil
}

// findFormat takes the size from the first picture with a readable header.
func (a *AVI) findFormat() error {
	for first := error(nil); ; {
		src, err := a.readFrame()
		switch {
		case err == io.EOF && first == nil:
			return errors.New("has no pictures")
		case err == io.EOF:
			return fmt.Errorf("has no picture that can be read: %w", first)
		case err != nil && !isBadFrame(err):
			return err
		case err == nil:
			a.format, err = newFormat(src, a.limits)
			clear(src)
		}
		if err == nil {
			a.index = 0
			return nil
		}
		if first == nil {
			first = err
		}
	}
}

// isBadFrame reports whether an error is about one picture.
func isBadFrame(err error) bool {
	var b BadFrame
	return errors.As(err, &b)
}

// readFrame returns the next frame, compressed. It is valid until the next call.
func (a *AVI) readFrame() ([]byte, error) {
	for {
		c, err := a.chunks.nextChunk()
		if err != nil {
			return nil, a.addRepairHint(err)
		}
		if c.size == 0 || !a.isVideoFrame(c.id) {
			continue
		}
		n := a.index
		a.index++
		if c.size > int64(a.limits.MaxBytes) {
			return nil, BadFrame{n, fmt.Errorf("has %d bytes: more than %d", c.size, a.limits.MaxBytes)}
		}
		if a.buf, err = a.limits.growBuffer(a.buf, int(c.size)); err != nil {
			return nil, err
		}
		if err := a.chunks.readFull(a.buf, c.at); err != nil {
			return nil, a.addRepairHint(err)
		}
		return a.buf, nil
	}
}

// isVideoFrame reports whether a chunk is a frame of the video stream, by its
// name: the number of the stream, then "dc" or "db".
func (a *AVI) isVideoFrame(id [4]byte) bool {
	return id[2] == 'd' && (id[3] == 'c' || id[3] == 'b') &&
		int(id[0]-'0') == a.stream/10 && int(id[1]-'0') == a.stream%10
}

// addRepairHint adds to the error of a truncated file how to repair it.
func (a *AVI) addRepairHint(err error) error {
	var cut errShortFile
	if errors.As(err, &cut) {
		return fmt.Errorf("%w; %d pictures before it are whole: copy it again, or keep those with "+
			"ffmpeg -i IN -c copy OUT.avi", err, a.index)
	}
	return err
}

// ReadInto fills dst, of width × height bytes, with the next picture and returns
// its time.
func (a *AVI) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed.Load() {
		return time.Time{}, ErrClosed
	}
	if a.err != nil {
		return time.Time{}, a.err
	}
	if err := checkRead(ctx, dst, a.format.w, a.format.h); err != nil {
		return time.Time{}, err
	}
	n := a.index
	src, err := a.readFrame()
	switch {
	case err == nil:
		if err = a.format.decodeLuma(&a.dec, dst, src); err != nil {
			err = BadFrame{n, err}
		}
		clear(src)
	case a.closed.Load():
		return time.Time{}, ErrClosed
	case !isBadFrame(err):
		if err != io.EOF {
			err = fmt.Errorf("%s: %w", a.name, err)
		}
		a.err = err
		return time.Time{}, err
	}
	return recordedTime(n, a.rate), err
}

// Size returns the width and height of the delivered pictures.
func (a *AVI) Size() (w, h int) { return a.format.w, a.format.h }

// Rate returns the declared rate, 0.001 to 10,000 pictures per second.
func (a *AVI) Rate() float64 { return a.rate }

// Frames counts the pictures of the file, up to the end or the first damaged
// chunk. It reads every chunk's header.
func (a *AVI) Frames() int {
	w, n := a.firstFrame, 0
	for {
		c, err := w.nextChunk()
		if err != nil {
			return n
		}
		if c.size > 0 && a.isVideoFrame(c.id) {
			n++
		}
	}
}

// Close closes the file and frees the memory.
func (a *AVI) Close() error {
	if a.closed.Swap(true) {
		return nil
	}
	var err error
	if a.file != nil {
		err = a.file.Close()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dec.Close()
	a.limits.Memory.Free(a.buf)
	a.buf = nil
	return err
}
