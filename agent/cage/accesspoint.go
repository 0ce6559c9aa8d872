package cage

import (
	"os"
	"slices"
)

// RestrictAccessPoint leaves this process, and hostapd which it starts, the files that an
// access point needs (Landlock): programs and libraries, and the kernel's settings of the
// network; no device, no state directory, no folder with keys, and no TCP. It returns the
// ABI of this kernel's Landlock; 0 is a kernel without it, where nothing is restricted.
func RestrictAccessPoint() (abi int, err error) {
	return restrictLandlock(plan{
		run:  existing("/usr", "/lib", "/lib64", "/bin", "/sbin"),
		read: existing("/usr", "/lib", loaderCache, "/etc/ssl", "/proc", "/sys", "/dev/null", "/dev/urandom", "/dev/rfkill"),
		dir:  "/proc/sys/net",
	})
}

// existing returns the paths that exist.
func existing(paths ...string) []string {
	return slices.DeleteFunc(paths, func(path string) bool {
		_, err := os.Stat(path)
		return err != nil
	})
}
