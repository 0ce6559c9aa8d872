package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/sys/unix"
)

// accessPointID is the user and group of kerb access-point: it owns no file and no device.
const accessPointID = 2001

// radioDir is where the kernel lists the radios that it knows.
const radioDir = "/sys/class/ieee80211"

// startAccessPoint starts kerb access-point, which opens an access point when kerb aim
// asks for it over the returned end of a socket pair, and ends when kerb aim ends. It has
// the network's capabilities and no other. wait returns after its end.
func (d *device) startAccessPoint() (request *os.File, wait func(), err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	request, server := os.NewFile(uintptr(fds[0]), "access point"), os.NewFile(uintptr(fds[1]), "access point")
	defer server.Close()
	c := exec.Command(kerbBin, "access-point")
	c.Stdin, c.Stdout, c.Stderr = server, d.console, d.console
	c.Env = []string{"PATH=/usr/bin"}
	c.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: accessPointID, Gid: accessPointID},
		AmbientCaps: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE},
		Pdeathsig:   syscall.SIGKILL, Setpgid: true,
	}
	if err := c.Start(); err != nil {
		request.Close()
		return nil, nil, err
	}
	return request, func() {
		request.Close() // that of kerb aim is closed by its end
		_ = c.Wait()    // it has told its reason on the console
	}, nil
}

// mayOpenAccessPoint reports whether the device has a radio, and site.toml the country that
// an access point needs.
func mayOpenAccessPoint(radios, set string) bool {
	var site struct {
		AccessPoint struct {
			Country string `toml:"country"`
		} `toml:"access_point"`
	}
	all, err := os.ReadDir(radios)
	if err != nil || len(all) == 0 {
		return false
	}
	text, err := os.ReadFile(filepath.Join(set, "site.toml"))
	return err == nil && toml.Unmarshal(text, &site) == nil && strings.TrimSpace(site.AccessPoint.Country) != ""
}
