// Package canary makes pictures that can be recognised again, and looks for
// what is left of them. A device is shown such pictures; whatever is then found
// outside the process that saw them got out.
//
// A mark is found as the compressed bytes of the file, as the same in hex,
// base64 or gzip, and as the pattern of light in decoded pixels, at full size
// and reduced. What was encrypted, or written in a way of its own, is not
// found: the search shows leaks by accident, and the walls stand against the
// rest.
package canary

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
)

// The pattern is vertical stripes, dark or bright by chance, as wide as a JPEG
// block.
const (
	Width, Height = 640, 480
	stripe        = 8
	stripes       = Width / stripe
	dark, bright  = 50, 205
)

// Mark is what the pictures of one trial have in common.
type Mark struct {
	bytes [24]byte      // stands in every file
	light [stripes]bool // of every row of pixels
}

// New makes a mark that nobody had before.
func New() *Mark {
	m := new(Mark)
	_, _ = rand.Read(m.bytes[:]) // never fails: crypto/rand
	var light [stripes]byte
	_, _ = rand.Read(light[:])
	for i, b := range light {
		m.light[i] = b&1 == 1
	}
	return m
}

// Pixels is a marked picture as luma, row by row. A box that moves with n makes
// something happen in it.
func (m *Mark) Pixels(n int) []byte {
	pix := make([]byte, Width*Height)
	for i := range pix {
		pix[i] = dark
		if m.light[i%Width/stripe] {
			pix[i] = bright
		}
	}
	x, y := 6*n%(Width-60), Height/3
	for row := y; row < y+90; row++ {
		for col := x; col < x+60; col++ {
			pix[row*Width+col] = 128
		}
	}
	return pix
}

// JPEG is a marked picture as a camera would send it: the pattern in its light,
// and the bytes of the mark in a comment.
func (m *Mark) JPEG(n int) ([]byte, error) {
	img := &image.Gray{Pix: m.Pixels(n), Stride: Width, Rect: image.Rect(0, 0, Width, Height)}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, gray{img}, &jpeg.Options{Quality: 90}); err != nil {
		return nil, fmt.Errorf("make a marked picture: %w", err)
	}
	comment := binary.BigEndian.AppendUint16([]byte{0xff, 0xfe}, uint16(2+len(m.bytes)))
	comment = append(comment, m.bytes[:]...)
	return append(append([]byte{0xff, 0xd8}, comment...), b.Bytes()[2:]...), nil
}

// gray hides the picture's type: as *image.Gray it would become a file of one
// component, and cameras send three.
type gray struct{ *image.Gray }

func (gray) ColorModel() color.Model   { return color.YCbCrModel }
func (g gray) At(x, y int) color.Color { return color.YCbCr{Y: g.Pix[y*g.Stride+x], Cb: 128, Cr: 128} }
