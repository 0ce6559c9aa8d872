package camera

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kerb/drivers/camera/luma"
)

// ListStills returns the paths of the .jpg and .jpeg files in a directory, sorted
// by name. None is an error.
func ListStills(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".jpg", ".jpeg":
			if !e.IsDir() {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: has no .jpg files", dir)
	}
	return paths, nil
}

// Stills reads JPEG files, one picture each. Picture n is at n seconds after 1970.
type Stills struct {
	paths  []string
	limits Limits
	format format
	index  int
	buf    []byte
	dec    luma.Decoder
	closed atomic.Bool
	mu     sync.Mutex // held by a read, because Close frees the memory
}

// OpenStills reads the headers of the files, in this order. All must be of one
// size. ReadInto reports a file without a readable header; if no file has one, the
// first error is returned here.
func OpenStills(paths []string, l Limits) (*Stills, error) {
	s := &Stills{paths: paths, limits: l.withDefaults()}
	s.dec.Memory = s.limits.Memory
	model, first := "", error(nil)
	for _, path := range paths {
		c, err := s.readConfig(path)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		if model == "" {
			if s.format, err = fitFormat(c, s.limits); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			model = path
		}
		if want := s.format.cfg; c.Width != want.Width || c.Height != want.Height {
			return nil, fmt.Errorf("%s is %d×%d, but %s is %d×%d: all must be of one size",
				path, c.Width, c.Height, model, want.Width, want.Height)
		}
	}
	if model != "" {
		return s, nil
	}
	if first == nil {
		first = errors.New("no pictures given")
	}
	return nil, first
}

// firstRead is how many bytes of a file are read to find the JPEG header; if it is
// longer, the whole file is read. Chosen by hand.
const firstRead = 16 << 10

// readConfig reads a file's JPEG header.
func (s *Stills) readConfig(path string) (luma.Config, error) {
	src, err := s.loadFile(path, firstRead)
	if err != nil {
		return luma.Config{}, err
	}
	c, err := luma.ReadConfig(src)
	if errors.Is(err, luma.ErrTruncated) && len(src) == firstRead {
		if src, err = s.loadFile(path, s.limits.MaxBytes); err != nil {
			return luma.Config{}, err
		}
		c, err = luma.ReadConfig(src)
	}
	clear(src)
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// loadFile reads a file, or its first most bytes, into s.buf. It refuses files
// that are not regular or are larger than MaxBytes.
func (s *Stills) loadFile(path string, most int) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a file", path)
	case info.Size() > int64(s.limits.MaxBytes):
		return nil, fmt.Errorf("%s: has %d bytes: more than %d", path, info.Size(), s.limits.MaxBytes)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if s.buf, err = s.limits.growBuffer(s.buf, min(int(info.Size()), most)); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(f, s.buf); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s.buf, nil
}

// ReadInto fills dst, of width × height bytes, with the next picture and returns
// its time.
func (s *Stills) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return time.Time{}, ErrClosed
	}
	if err := checkRead(ctx, dst, s.format.w, s.format.h); err != nil {
		return time.Time{}, err
	}
	if s.index == len(s.paths) {
		return time.Time{}, io.EOF
	}
	n := s.index
	s.index++
	src, err := s.loadFile(s.paths[n], s.limits.MaxBytes)
	if err == nil {
		s.dec.ForgetTables()
		if err = s.format.decodeLuma(&s.dec, dst, src); err != nil {
			err = fmt.Errorf("%s: %w", s.paths[n], err)
		}
		clear(src)
	}
	if err != nil {
		err = BadFrame{n, err}
	}
	return recordedTime(n, 1), err
}

// Size returns the width and height of the delivered pictures.
func (s *Stills) Size() (w, h int) { return s.format.w, s.format.h }

// Close ends the source and frees the memory.
func (s *Stills) Close() error {
	s.closed.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dec.Close()
	s.limits.Memory.Free(s.buf)
	s.buf = nil
	return nil
}
