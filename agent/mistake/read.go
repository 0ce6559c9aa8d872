package mistake

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// maxFile bounds a file that people write, in bytes: one of a thousand streams has 200 KB.
const maxFile = 1 << 20

// ReadFile reads a file that people write, of at most 1 MiB. A folder, a device and a larger
// file are told as such; the other errors are those of os.ReadFile. A named pipe that has no
// writer is empty, as O_NONBLOCK (fifo(7)) keeps it from waiting for one.
func ReadFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeDevice != 0 {
		return nil, fmt.Errorf("%s is a device: name a file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case errors.Is(err, syscall.EISDIR):
		return nil, fmt.Errorf("%s is a folder: name the file in it", path)
	case err != nil:
		return nil, err
	case len(b) > maxFile:
		return nil, fmt.Errorf("%s is larger than 1 MiB: is it another file?", path)
	}
	return b, nil
}
