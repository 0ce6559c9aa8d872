package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// newCamera makes the folders below /sys of a USB camera with two video devices, of which
// the first gives pictures: the device, its interface, and what points to that.
func newCamera(t *testing.T, sys, port, video string, attributes map[string]string) {
	t.Helper()
	device := writeFiles(t, filepath.Join(sys, "devices/usb1", port), attributes)
	folder := writeFiles(t, filepath.Join(device, port+":1.0/video4linux", video), map[string]string{"index": "0\n"})
	class := filepath.Join(sys, "class")
	for _, err := range []error{
		os.Symlink(filepath.Join(device, port+":1.0"), filepath.Join(folder, "device")),
		os.MkdirAll(class, 0o755), os.Symlink(folder, filepath.Join(class, video)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The names are those that Debian's udev gives to the same attributes.
func TestAUSBCameraHasTheNameThatUdevGives(t *testing.T) {
	sys, byID := t.TempDir(), filepath.Join(t.TempDir(), "v4l/by-id")
	class := filepath.Join(sys, "class")
	if err := linkCameras(class, byID); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(byID); err == nil {
		t.Error("a folder for no camera")
	}
	newCamera(t, sys, "1-1", "video0", map[string]string{"idVendor": "046d\n", "idProduct": "082d\n", "product": "HD Pro Webcam C920\n", "serial": "A1B2C3D4\n"})
	newCamera(t, sys, "1-2", "video2", map[string]string{"idVendor": "0bda\n", "idProduct": "5830\n", "manufacturer": " Generic  Corp., Ltd \n", "product": "USB/Camera\n", "serial": "1,2\n"})
	if err := os.MkdirAll(filepath.Join(class, "video10"), 0o755); err != nil { // the board's own codec
		t.Fatal(err)
	}
	check := func(what string, want ...string) {
		t.Helper()
		for range 2 { // the second time changes nothing
			if err := linkCameras(class, byID); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		links, err := os.ReadDir(byID)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			to, err := os.Readlink(filepath.Join(byID, l.Name()))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, l.Name()+" "+to)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", what, got)
		}
	}
	const second = "usb-Generic_Corp.__Ltd_USB_Camera-video-index0 ../../video2"
	check("two cameras", "usb-046d_HD_Pro_Webcam_C920_A1B2C3D4-video-index0 ../../video0", second)
	if err := os.Remove(filepath.Join(class, "video0")); err != nil {
		t.Fatal(err)
	}
	check("the first is unplugged", second)
	newCamera(t, sys, "1-1x", "video7", map[string]string{"idVendor": "046d\n", "idProduct": "082d\n", "product": "HD Pro Webcam C920\n", "serial": "A1B2C3D4\n"})
	check("and plugged in again", "usb-046d_HD_Pro_Webcam_C920_A1B2C3D4-video-index0 ../../video7", second)
}
