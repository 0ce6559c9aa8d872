package camera

import (
	"fmt"
	"os"
)

// NewAVI is like OpenAVI for an open file, for a process that may not open files
// and receives descriptors. Close closes it, and so does an error.
func NewAVI(f *os.File, l Limits) (*AVI, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: is not a file", f.Name())
	}
	var a *AVI
	if err == nil {
		a, err = openAVIReader(f, info.Size(), f.Name(), l)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	a.file = f
	return a, nil
}
