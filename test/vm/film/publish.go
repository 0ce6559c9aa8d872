package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// runPublish runs all of kerb run until two windows of a minute are over, and
// returns its spool. The broker is at the address of kerb.broker= on the
// kernel's command line, which is this machine's host.
func runPublish() (any, error) {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, err
	}
	_, broker, ok := strings.Cut(string(line), "kerb.broker=")
	if broker, _, _ = strings.Cut(strings.TrimSpace(broker), " "); !ok {
		return nil, errors.New("no kerb.broker= on the command line")
	}
	if err := loadModules("", "e1000"); err != nil {
		return nil, err
	}
	if err := configureCard("lo", [4]byte{127, 0, 0, 1}, [4]byte{255, 0, 0, 0}); err != nil {
		return nil, err
	}
	if err := configureCard("eth0", [4]byte{10, 0, 2, 15}, [4]byte{255, 255, 255, 0}); err != nil {
		return nil, err
	}
	if err := replaceText("/site.toml", "mqtts://broker.example:8883", broker); err != nil {
		return nil, err
	}
	if err := replaceText("/policy.toml", `window = "15m"`, `window = "1m"`); err != nil {
		return nil, err
	}
	// kerb reports standing colour bars as a frozen camera, so the pattern moves.
	if err := errors.Join(setControl(testPattern, chequerPattern), setControl(horizontalMovement, slowMovement)); err != nil {
		return nil, err
	}
	a, err := startAgent()
	if err != nil {
		return nil, err
	}
	if err := a.waitOpens(1, 10*time.Minute); err != nil {
		return nil, err
	}
	time.Sleep(130 * time.Second)
	if err := a.stopAgent(); err != nil {
		return nil, err
	}
	return a.readSpool()
}

// Controls of vivid and their choices, Documentation/admin-guide/media/vivid.rst.
// The numbers are those of vivid-ctrls.c.
const (
	testPattern        = 0x00f0f000
	chequerPattern     = 10
	horizontalMovement = 0x00f0f000 + 2
	slowMovement       = 2

	ioctlSetControl = 0xc008561c // VIDIOC_S_CTRL
)

// setControl sets a control of the camera.
func setControl(id uint32, value int32) error {
	fd, err := openVideo()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	c := struct {
		id    uint32
		value int32
	}{id, value}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlSetControl, uintptr(unsafe.Pointer(&c))); errno != 0 {
		return fmt.Errorf("control %#x: %w", id, errno)
	}
	return nil
}

// replaceText replaces old in a file by fresh. It is an error if the file does
// not contain old.
func replaceText(path, old, fresh string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(b, []byte(old)) {
		return fmt.Errorf("%s does not hold %q", path, old)
	}
	return os.WriteFile(path, bytes.ReplaceAll(b, []byte(old), []byte(fresh)), 0o600)
}

// configureCard gives a network card its address and sets it up, netdevice(7).
func configureCard(card string, addr, mask [4]byte) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq(card)
	if err != nil {
		return err
	}
	set := func(request uint) error {
		if err := unix.IoctlIfreq(s, request, r); err != nil {
			return fmt.Errorf("%s: %#x: %w", card, request, err)
		}
		return nil
	}
	err = errors.Join(r.SetInet4Addr(addr[:]), set(unix.SIOCSIFADDR))
	err = errors.Join(err, r.SetInet4Addr(mask[:]), set(unix.SIOCSIFNETMASK))
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return errors.Join(err, set(unix.SIOCSIFFLAGS))
}
