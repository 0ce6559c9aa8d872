package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// deviceInterval is the time between two looks for new devices. gokrazy has no udev, so
// pole gives a camera that is plugged in later to kerb, and its stable name. Chosen by
// hand: kerb tries an absent camera about as often.
const deviceInterval = 2 * time.Second

// keepDevices gives cameras and GPIO chips to kerb's user, and USB cameras their stable
// names, until the context ends.
func (d *device) keepDevices(ctx context.Context) {
	said := ""
	for ctx.Err() == nil {
		if err := giveDevices(); err != nil && err.Error() != said {
			said = err.Error()
			d.log.Print(err)
		}
		select {
		case <-time.After(deviceInterval):
		case <-ctx.Done():
		}
	}
}

// giveDevices does that once.
func giveDevices() (err error) {
	for _, pattern := range []string{"/dev/video*", "/dev/gpiochip*"} {
		nodes, _ := filepath.Glob(pattern) // the pattern is right
		for _, n := range nodes {
			err = errors.Join(err, giveDevice(n))
		}
	}
	return errors.Join(err, linkCameras("/sys/class/video4linux", "/dev/v4l/by-id"))
}

// giveDevice lets kerb's group read and write a device, unless it may already.
func giveDevice(path string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil || st.Gid == kerbID && st.Mode&0o777 == 0o660 {
		return nil // it is given, or was unplugged just now
	}
	return errors.Join(os.Chown(path, 0, kerbID), os.Chmod(path, 0o660))
}

// linkCameras makes links in the folder by-id to the USB cameras below class, as udev
// does (60-persistent-v4l.rules), and removes those of cameras that are gone. A site.toml
// that was written on Raspberry Pi OS so finds its camera on the image.
func linkCameras(class, byID string) error {
	cameras, _ := filepath.Glob(filepath.Join(class, "video*")) // the pattern is right
	want := map[string]string{}
	for _, c := range cameras {
		if name := cameraName(c); name != "" {
			want[name] = filepath.Join("../..", filepath.Base(c))
		}
	}
	links, err := os.ReadDir(byID)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil || len(want)+len(links) == 0 {
		return err
	}
	errs := []error{os.MkdirAll(byID, 0o755)}
	for _, l := range links {
		path := filepath.Join(byID, l.Name())
		if to, err := os.Readlink(path); err == nil && to == want[l.Name()] {
			delete(want, l.Name())
			continue
		}
		errs = append(errs, os.Remove(path))
	}
	for name, to := range want {
		errs = append(errs, os.Symlink(to, filepath.Join(byID, name)))
	}
	return errors.Join(errs...)
}

// cameraName returns the name that udev's usb_id gives to a camera, by its folder below
// /sys; "" where it is no USB camera. Two cameras of one type without serial numbers have
// the same.
func cameraName(dir string) string {
	at, err := filepath.EvalSymlinks(filepath.Join(dir, "device"))
	if err != nil {
		return ""
	}
	for ; readAttribute(at, "idVendor") == ""; at = filepath.Dir(at) { // from the interface to the device
		if at == "/" || at == "." {
			return ""
		}
	}
	parts := []string{
		udevWord(readAttribute(at, "manufacturer"), readAttribute(at, "idVendor")),
		udevWord(readAttribute(at, "product"), readAttribute(at, "idProduct")),
	}
	if serial := readAttribute(at, "serial"); serial != "" && !notSerial.MatchString(serial) {
		parts = append(parts, udevWord(serial, ""))
	}
	return "usb-" + strings.Join(parts, "_") + "-video-index" + readAttribute(dir, "index")
}

// readAttribute returns an attribute of a device below /sys without the line's end; "" if
// there is none.
func readAttribute(dir, name string) string {
	b, _ := os.ReadFile(filepath.Join(dir, name)) // none: empty
	return strings.TrimRight(string(b), "\n")
}

// What udev leaves out: a serial number with other characters than those of ASCII, or
// with a comma, and in a name all but these characters.
var (
	notSerial   = regexp.MustCompile(`[^\x20-\x7f]|,`)
	notUdevName = regexp.MustCompile(`[^0-9A-Za-z#+\-.:=@_]`)
)

// udevWord returns an attribute as udev writes it into a name, or the second one where
// the first is empty: at most 63 bytes, each run of blanks as one underscore.
func udevWord(text, otherwise string) string {
	text = strings.Join(strings.Fields(text[:min(len(text), 63)]), "_")
	if text == "" {
		text = otherwise
	}
	return notUdevName.ReplaceAllString(text, "_")
}
