// Command package makes the Debian packages of kerb from existing binaries. Their
// content is one table; see packageContents. It depends neither on the time nor on
// the place of the build, so two builds give the same bytes.
//
//	go -C firmware-notes/package run . -out DIR
//
// make deb builds the binaries first.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
)

// binaries are Debian's names of the architectures and the file names that make
// cross gives their binaries. The binary for armhf runs on a Pi Zero, too.
var binaries = []struct{ arch, file string }{
	{"amd64", "kerb-linux-amd64"},
	{"arm64", "kerb-linux-arm64"},
	{"armhf", "kerb-linux-armv6"},
}

const maintainer = "kerb maintainers <maintainers@users.noreply.r-seed-68da2f87.example>"

func main() {
	root := flag.String("root", "../..", "kerb's source")
	out := flag.String("out", "../../out", "where the binaries are and the packages go")
	release := flag.String("version", "", "such as 1.2.0; empty: made from the commit")
	archs := flag.String("arch", "amd64 arm64 armhf", "which packages")
	kerb := flag.String("kerb", "", "a kerb that runs on this machine and prints manual and completions; empty: kerb-linux-amd64 in out")
	flag.Parse()
	if *kerb == "" {
		*kerb = filepath.Join(*out, "kerb-linux-amd64")
	}
	if err := run(*root, *out, *kerb, *release, strings.Fields(*archs)); err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

// run makes the packages of the named architectures.
func run(root, out, kerb, release string, archs []string) error {
	when, commit, err := lastCommit(root)
	if err != nil {
		return err
	}
	if release == "" {
		// It sorts before any release, and newer commits sort later.
		release = fmt.Sprintf("0~git%s.%s", when.Format("20060102150405"), commit)
	}
	dir, err := os.MkdirTemp("", "kerb-package-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeDerived(root, dir, kerb, release, when); err != nil {
		return err
	}
	for _, b := range binaries {
		if !slices.Contains(archs, b.arch) {
			continue
		}
		path := filepath.Join(out, fmt.Sprintf("kerb_%s_%s.deb", release, b.arch))
		if err := writeDeb(path, &nfpm.Info{
			Name: "kerb", Arch: b.arch, Platform: "linux", Version: release, VersionSchema: "none", Section: "net", Priority: "optional",
			Maintainer: maintainer, License: "Apache-2.0", MTime: when, DisableGlobbing: true, Description: description,
			Overridables: nfpm.Overridables{
				Recommends: []string{"systemd", "ca-certificates"},
				Suggests:   []string{"mosquitto-clients", "minisign", "hostapd"},
				Contents:   packageContents(root, dir, filepath.Join(out, b.file), when),
				Scripts: nfpm.Scripts{
					PostInstall: scriptPath(root, "postinst"),
					PreRemove:   scriptPath(root, "prerm"), PostRemove: scriptPath(root, "postrm"),
				},
				Deb: nfpm.Deb{Compression: "xz", Fields: map[string]string{"Multi-Arch": "foreign"}},
			},
		}); err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}

const description = `counts people and vehicles at the kerb and forgets what it saw
An agent for Raspberry Pi-class devices beside a street camera or an inductive
loop detector. Pictures are looked at in memory and overwritten; counts are
cleared by a policy that a privacy reviewer wrote, spooled, and published over
MQTT. Nobody is recognised, and no picture is stored or sent.`

// scriptPath is the path of a maintainer script.
func scriptPath(root, script string) string {
	return filepath.Join(root, "firmware-notes/package/debian", script)
}

// writeDeb writes one package, and removes it again after an error.
func writeDeb(path string, info *nfpm.Info) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = deb.Default.Package(nfpm.WithDefaults(info), f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, errors.Join(err, os.Remove(path)))
	}
	return nil
}

// lastCommit is the time and the name of the last commit. All files in the packages
// have that time.
func lastCommit(root string) (time.Time, string, error) {
	out, err := exec.Command("git", "-C", root, "log", "-1", "--format=%ct %h", "--abbrev=8").Output()
	if err != nil {
		return time.Time{}, "", fmt.Errorf("ask git for the last commit: %w", err)
	}
	var seconds int64
	var name string
	if _, err := fmt.Sscan(strings.TrimSpace(string(out)), &seconds, &name); err != nil {
		return time.Time{}, "", fmt.Errorf("git answered %q: %w", out, err)
	}
	return time.Unix(seconds, 0).UTC(), name, nil
}
