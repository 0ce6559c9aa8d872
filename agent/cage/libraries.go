package cage

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// loaderTimeout is the longest that a loader may take to list libraries; chosen by
// hand, for a slow card.
const loaderTimeout = 20 * time.Second

// loaderCache is the file in which glibc's loader looks up libraries (ld.so(8)).
const loaderCache = "/etc/ld.so.cache"

// listLibraries returns what a program needs: run, itself and its loader, and read, its
// libraries and the loader's cache. The loader lists them (ld.so --list), which neither
// runs the program nor initialises a library. A program without a loader is static.
func listLibraries(program string) (run, read []string, err error) {
	if !filepath.IsAbs(program) {
		return nil, nil, errors.New("must be an absolute path")
	}
	loader, err := readLoader(program)
	if err != nil {
		return nil, nil, err
	}
	if loader == "" {
		return []string{program}, nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), loaderTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, loader, "--list", program)
	cmd.Env = []string{}
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("%s --list: %w", loader, err)
	}
	read = parseLibraries(string(out))
	if _, err := os.Stat(loaderCache); err == nil {
		read = append(read, loaderCache)
	}
	return []string{program, loader}, read, nil
}

// parseLibraries returns the paths in the output of ld.so --list, whose lines are
// "name => path (address)", "path (address)", or of the kernel's own "name (address)".
func parseLibraries(out string) (paths []string) {
	for line := range strings.Lines(out) {
		if _, path, found := strings.Cut(line, "=> "); found {
			line = path
		}
		path, _, _ := strings.Cut(strings.TrimSpace(line), " (")
		if filepath.IsAbs(path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// readLoader returns the loader of a program (PT_INTERP, elf(5)); "" where it has none.
func readLoader(program string) (string, error) {
	f, err := elf.Open(program)
	if err != nil {
		if _, bad := errors.AsType[*elf.FormatError](err); bad {
			return "", errors.New("is no ELF program, such as a script: give the program itself")
		}
		return "", err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			text, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
			return strings.TrimRight(string(text), "\x00"), err
		}
	}
	return "", nil
}
