// Package canary makes pictures with a secret mark and searches data for the
// mark. A test camera shows such pictures to a device; a mark that is found
// outside the process that read them has leaked.
//
// It finds the mark as the compressed bytes of the file, the same in hex,
// base64 or gzip, and as the pattern of light in decoded pixels, at full size
// and reduced. It refuses to claim more: data that was encrypted or encoded in
// another way is not found. The search shows leaks by accident; against intent
// there are the walls of agent/cage.
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

// The pattern: vertical stripes, dark or bright at random, as wide as a EncodeJPEG
// block.
const (
	Width, Height = 640, 480
	stripe        = 8
	stripes       = Width / stripe
	dark, bright  = 50, 205 // luma

	boxWidth, boxHeight = 60, 90 // pixels
	boxStep             = 6      // pixels between two pictures
	boxLuma             = 128

	jpegQuality = 90 // of 100
)

// Mark is the secret that the pictures of one trial have in common.
type Mark struct {
	bytes [24]byte      // in a comment of every file
	light [stripes]bool // bright stripes, the same in every row of pixels
}

// New returns a random mark.
func New() *Mark {
	m := new(Mark)
	_, _ = rand.Read(m.bytes[:]) // never fails: crypto/rand
	for i, b := range m.bytes {
		if b == '\r' || b == '\n' {
			m.bytes[i] = 0xff // within a line, so that each quoted line has the whole mark
		}
	}
	var light [stripes]byte
	_, _ = rand.Read(light[:])
	for i, b := range light {
		m.light[i] = b&1 == 1
	}
	return m
}

// LumaPixels returns a marked picture of Width × Height as luma, row by row, with a
// grey box that moves with n, so that there is motion to detect.
func (m *Mark) LumaPixels(n int) []byte {
	pix := make([]byte, Width*Height)
	for i := range pix {
		pix[i] = dark
		if m.light[i%Width/stripe] {
			pix[i] = bright
		}
	}
	x, y := boxStep*n%(Width-boxWidth), Height/3
	for row := y; row < y+boxHeight; row++ {
		for col := x; col < x+boxWidth; col++ {
			pix[row*Width+col] = boxLuma
		}
	}
	return pix
}

// EncodeJPEG returns a marked picture as a camera sends it: the pattern in its
// pixels, and the bytes of the mark in a comment segment. n moves the box. The
// error is the encoder's.
func (m *Mark) EncodeJPEG(n int) ([]byte, error) {
	img := &image.Gray{Pix: m.LumaPixels(n), Stride: Width, Rect: image.Rect(0, 0, Width, Height)}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, ycbcrGray{img}, &jpeg.Options{Quality: jpegQuality}); err != nil {
		return nil, fmt.Errorf("make a marked picture: %w", err)
	}
	comment := binary.BigEndian.AppendUint16([]byte{0xff, 0xfe}, uint16(2+len(m.bytes)))
	comment = append(comment, m.bytes[:]...)
	return append(append([]byte{0xff, 0xd8}, comment...), b.Bytes()[2:]...), nil
}

// Bytes returns the bytes of the mark, without a line end, for a camera that sends
// more than a picture.
func (m *Mark) Bytes() []byte { return bytes.Clone(m.bytes[:]) }

// ycbcrGray makes the encoder write three components, as cameras do: an
// *image.Gray would become a file of one component.
type ycbcrGray struct{ *image.Gray }

// ColorModel returns YCbCr, of three components.
func (ycbcrGray) ColorModel() color.Model { return color.YCbCrModel }

// At returns the luma of a pixel with neutral colour.
func (g ycbcrGray) At(x, y int) color.Color {
	return color.YCbCr{Y: g.Pix[y*g.Stride+x], Cb: 128, Cr: 128}
}
