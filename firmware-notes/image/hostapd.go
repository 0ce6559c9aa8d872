package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Where hostapd, its loader and its libraries lie in the image. The loader looks for
// libraries there without a cache (ld.so(8)).
const (
	hostapdPath = "/usr/sbin/hostapd"
	loaderPath  = "/lib/ld-linux-aarch64.so.1"
	libraryDir  = "/lib/aarch64-linux-gnu"
)

// addHostapd adds hostapd with its loader and its libraries to files, which maps paths of
// the image to paths here. dir is where ./hostapd has unpacked them; it does so first.
func addHostapd(files map[string]string, dir string) error {
	if err := runCommand(exec.Command("./hostapd", dir)); err != nil {
		return err
	}
	files[hostapdPath] = filepath.Join(dir, hostapdPath)
	loader, err := findLibrary(dir, filepath.Base(loaderPath))
	if err != nil {
		return err
	}
	files[loaderPath] = loader
	return addLibraries(files, dir, files[hostapdPath])
}

// addLibraries adds the libraries that a program or library names (DT_NEEDED, elf(5)), and
// those that they name.
func addLibraries(files map[string]string, dir, path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, name := range names {
		to := filepath.Join(libraryDir, name)
		if files[to] != "" || name == filepath.Base(loaderPath) {
			continue
		}
		if files[to], err = findLibrary(dir, name); err != nil {
			return err
		}
		if err := addLibraries(files, dir, files[to]); err != nil {
			return err
		}
	}
	return nil
}

// findLibrary returns the file of a library below dir, with links followed.
func findLibrary(dir, name string) (string, error) {
	for _, at := range []string{libraryDir, "/usr" + libraryDir} {
		if path, err := filepath.EvalSymlinks(filepath.Join(dir, at, name)); err == nil {
			return path, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("hostapd needs %s, which ./hostapd does not unpack", name)
}
