package camera

import (
	"errors"
	"fmt"

	"kerb/drivers/camera/h264"
)

// avcDecoder decodes H.264 and delivers its luma within Limits: pictures that are
// larger are reduced to 1/2, 1/4 or 1/8 each way while they are copied.
type avcDecoder struct {
	h264     *h264.Decoder
	limits   Limits
	full     [2]int // size of the pictures before reduction; 0: none yet
	k        int    // pixels that become one, each way
	w, h     int    // delivered
	withheld uint64 // as far as reported
}

func newAVCDecoder(l Limits) avcDecoder {
	return avcDecoder{h264: h264.New(h264.Opts{Memory: l.Memory}), limits: l}
}

// errWithheld reports pictures that depend on one that was damaged or lost.
var errWithheld = errors.New("depends on a picture that was damaged or lost")

// decodeNAL decodes one NAL unit. bad is about one picture; err ends the source.
func (a *avcDecoder) decodeNAL(nal []byte, tag int64) (bad, err error) {
	return a.sortError(a.h264.Decode(nal, tag))
}

// sortError tells the error of one picture from one that ends the source.
func (a *avcDecoder) sortError(err error) (bad, end error) {
	if _, damaged := errors.AsType[h264.DamageError](err); damaged {
		bad, err = err, nil
	}
	if n := a.h264.Withheld(); n != a.withheld {
		if a.withheld = n; bad == nil {
			bad = errWithheld
		}
	}
	return bad, err
}

// fit fixes the delivered size by the first picture. A later picture of another size
// is an error.
func (a *avcDecoder) fit(p *h264.Picture) (err error) {
	if full := [2]int{p.Width, p.Height}; a.full == [2]int{} {
		a.full = full
		a.k, a.w, a.h, err = fitReduction(p.Width, p.Height, a.limits.MaxPixels)
		return err
	} else if a.full != full {
		return fmt.Errorf("pictures have changed: the new one %w: open the camera again",
			errSizeChanged{p.Width, p.Height, a.full[0], a.full[1]})
	}
	return nil
}

// copyPicture writes a picture to dst, of the delivered size.
func (a *avcDecoder) copyPicture(dst []byte, p *h264.Picture) {
	for y := range a.h {
		row := dst[y*a.w:][:a.w]
		if a.k == 1 {
			copy(row, p.Luma[y*p.Stride:])
		} else {
			averageBlocks(row, p.Luma[y*a.k*p.Stride:], p.Stride, 1, a.k)
		}
	}
}

// close wipes and frees the decoder's memory.
func (a *avcDecoder) close() { a.h264.Close() }

// isDamage reports whether an error is about one picture of H.264.
func isDamage(err error) bool {
	_, damaged := errors.AsType[h264.DamageError](err)
	return damaged || err == errWithheld
}
