package vision

import (
	"context"
	"errors"
	"io"

	"kerb/counting/neural"
)

// Calibrate runs a network on every picture of src, w×h pixels each, as a Counter
// would, and widens into by the values inside the network: neural.Opts.Int8 needs
// these ranges. It returns the number of pictures. It wipes the pictures as a Counter
// does. An error of the Source other than io.EOF ends it.
func Calibrate(ctx context.Context, net *neural.Net, src Source, w, h int, into neural.Ranges) (n int, err error) {
	if err := checkOpts(&Opts{Width: w, Height: h}); err != nil {
		return 0, err
	}
	s, err := newNetDetector(net, w, h)
	if err != nil {
		return 0, err
	}
	a := newArena(w*h, 0)
	defer a.wipeBlock()
	defer net.Wipe()
	for ; ; n++ {
		if _, err := src.ReadInto(ctx, a.picture); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		s.fillInput(a.picture, w)
		net.ObserveRanges(into)
	}
}
