package camera

import (
	"fmt"
	"os"
)

// ReadAVI is OpenAVI for a file that someone else opened: a process that may
// open nothing is handed it. Close closes it, and so does an error.
func ReadAVI(f *os.File, l Limits) (*AVI, error) {
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
