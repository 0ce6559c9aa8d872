// Command image makes kerb's SD-card image: gokrazy's Linux, with a read-only
// root, no shell, no listening port and two slots for the system, and in it the
// same binary as in the packages. All other content comes from modules pinned in
// go.mod, but hostapd for the access point of an aiming session, which is Debian's. Two
// builds of one commit in one folder with the same hostapd are equal, byte for byte.
//
//	go -C firmware-notes/image run . -kerb ../../out/kerb-linux-arm64 -out ../../out/kerb.img
//
// With -virt the image is for a virtual machine (arm64, qemu -machine virt) instead
// of a Raspberry Pi 3, 4, 5 or Zero 2 W. With -root it makes the system alone, for
// an update, and the update.json to be signed. It needs mkfs.ext4, mkfs.vfat,
// mtools, squashfs-tools, apt and dpkg. It refuses to run beside another build of an image.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	cardBytes   = 2 << 30 // of the smallest card; the rest of a larger one stays unused
	gokrazyPath = "github.com/gokrazy/"
	modulePath  = "kerb/firmware-notes/image"
	polePath    = modulePath + "/pole"
)

func main() {
	var b build
	flag.StringVar(&b.kerb, "kerb", "", "the binary, for arm64")
	flag.StringVar(&b.out, "out", "kerb.img", "what to make")
	flag.Int64Var(&b.version, "version", 0, "a number that every update raises; 0: the time of the last commit")
	flag.BoolVar(&b.virt, "virt", false, "for a virtual machine")
	flag.BoolVar(&b.root, "root", false, "the system alone, for an update")
	flag.StringVar(&b.configs, "configs", "../../configs", "where the two example files are")
	flag.StringVar(&b.hostapd, "hostapd", "", "a folder for Debian's hostapd, which is fetched if it is not there; empty: fetched anew")
	flag.StringVar(&b.url, "url", "", "where the image will lie, for the manifest of Raspberry Pi Imager; empty: where it is made")
	flag.Parse()
	if err := b.makeImage(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// build is one build of the image, with its flags.
type build struct {
	kerb, out, configs    string
	hostapd               string // folder; empty: a temporary one
	url                   string // where the image will lie; empty: where it is
	version               int64
	startTime, commitTime time.Time // of the build, and of the last commit
	virt, root            bool
}

// makeImage makes the image, or with root the system alone.
func (b build) makeImage() error {
	var err error
	for _, path := range []*string{&b.kerb, &b.out, &b.configs} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	b.startTime = time.Now().UTC()
	if b.commitTime, err = lastCommitTime(); err != nil {
		return err
	}
	if b.version == 0 {
		b.version = b.commitTime.Unix()
	}
	// gokrazy writes the name of this folder into the image.
	parent := filepath.Join(os.TempDir(), "kerb-image")
	if err := os.Mkdir(parent, 0o700); err != nil {
		return fmt.Errorf("%w: another image is being made, or remove it", err)
	}
	defer os.RemoveAll(parent)
	if err := b.writeInstance(filepath.Join(parent, "kerb")); err != nil {
		return err
	}
	words := []string{"tool", "gok", "--parent_dir", parent, "-i", "kerb", "overwrite"}
	if b.root {
		words = append(words, "--root", b.out)
	} else {
		words = append(words, "--full="+b.out, fmt.Sprintf("--target_storage_bytes=%d", cardBytes))
	}
	if err := runCommand(withFixedTime(exec.Command("go", words...), b.commitTime)); err != nil {
		return err
	}
	if b.root {
		return errors.Join(b.rebuildSquashfs(0), b.writeOffer())
	}
	if err := b.finishCard(); err != nil || b.virt {
		return err
	}
	return writeManifest(b.out, b.url, b.commitTime)
}

// writeInstance writes gokrazy's configuration of the image to dir.
func (b build) writeInstance(dir string) error {
	none := ""
	kernel, firmware, eeprom := gokrazyPath+"kernel.rpi", gokrazyPath+"firmware", gokrazyPath+"rpi-eeprom"
	console := "serial0,115200"
	if b.virt {
		kernel, firmware, eeprom, console = gokrazyPath+"kernel.arm64", none, none, "ttyAMA0,115200"
	}
	extra := map[string]string{"/usr/bin/kerb": b.kerb}
	unpacked, err := filepath.Abs(b.hostapd)
	if b.hostapd == "" {
		unpacked = filepath.Join(filepath.Dir(dir), "hostapd")
	}
	if err = errors.Join(err, addHostapd(extra, unpacked)); err != nil {
		return err
	}
	about, err := json.Marshal(map[string]any{"version": b.version})
	if err != nil {
		return err
	}
	config, err := json.MarshalIndent(map[string]any{
		"Hostname": "kerb",
		// No port listens: without a password gokrazy's pages are a socket
		// that root alone can open.
		"Update":          map[string]any{"NoPassword": true},
		"Environment":     []string{"GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"},
		"Packages":        []string{polePath},
		"GokrazyPackages": []string{gokrazyPath + "gokrazy/cmd/dhcp", gokrazyPath + "gokrazy/cmd/randomd"},
		"KernelPackage":   kernel, "FirmwarePackage": firmware, "EEPROMPackage": eeprom,
		"SerialConsole": console,
		"PackageConfig": map[string]any{polePath: map[string]any{
			"ExtraFilePaths":    extra,
			"ExtraFileContents": map[string]string{"/etc/kerb-image.json": string(about) + "\n"},
		}},
	}, "", "  ")
	if err != nil {
		return err
	}
	source, err := os.Getwd()
	if err != nil {
		return err
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		return err
	}
	sum, err := os.ReadFile("go.sum")
	if err != nil {
		return err
	}
	// gokrazy builds every program in the module of its builddir: this one.
	mod = []byte(strings.Replace(string(mod), "module "+modulePath, "module image", 1) +
		fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %s => %s\n", modulePath, modulePath, source))
	files := map[string][]byte{"config.json": config, "builddir/go.mod": mod, "builddir/go.sum": sum}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// finishCard makes the ext4 file system of the state directory, and a new boot
// partition: gokrazy's has no room for the folder kerb with its examples. gokrazy's
// init reads the boot partition too, and expects FAT16 with one table.
func (b build) finishCard() error {
	ps, err := readPartitions(b.out)
	if err != nil {
		return err
	}
	boot, system, perm := ps[0], ps[1], ps[3]
	if err := b.rebuildSquashfs(system.offset); err != nil {
		return err
	}
	// metadata_csum puts checksums over the journal: after a power cut no torn
	// part of it is replayed.
	if err := runCommand(withFixedTime(exec.Command("mkfs.ext4", "-q", "-F", "-L", "perm", "-U", permUUID, "-O", "metadata_csum,^fast_commit",
		"-E", fmt.Sprintf("hash_seed=%s,offset=%d,lazy_itable_init=0,lazy_journal_init=0", permUUID, perm.offset), b.out, fmt.Sprintf("%dk", perm.size>>10)), b.commitTime)); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kerb-card-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	card := filepath.Join(dir, "card")
	if err := errors.Join(os.Mkdir(card, 0o755), runCommand(exec.Command("mcopy", "-s", "-i", fmt.Sprintf("%s@@%d", b.out, boot.offset), "::*", card))); err != nil {
		return err
	}
	if err := b.writeExamples(filepath.Join(card, "kerb")); err != nil {
		return err
	}
	fat := filepath.Join(dir, "fat")
	content, err := filepath.Glob(filepath.Join(card, "*"))
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(fat, nil, 0o644), os.Truncate(fat, boot.size),
		runCommand(exec.Command("mkfs.vfat", "--invariant", "-F", "16", "-f", "1", "-n", "KERB", fat)),
		runCommand(withFixedTime(exec.Command("mcopy", append([]string{"-s", "-i", fat}, append(content, "::/")...)...), b.commitTime)))
	if err != nil {
		return err
	}
	return runCommand(exec.Command("dd", "if="+fat, "of="+b.out, "bs=1M", fmt.Sprintf("seek=%d", boot.offset), "oflag=seek_bytes", "conv=notrunc,sparse", "status=none"))
}

// writeOffer writes update.json, which describes the system, beside it.
func (b build) writeOffer() error {
	content, err := os.ReadFile(b.out)
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{
		"version": b.version, "file": filepath.Base(b.out), "size": len(content), "sha256": fmt.Sprintf("%x", sha256.Sum256(content)),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(b.out), "update.json"), append(text, '\n'), 0o644)
}

// A partition has its offset and size in the image, in bytes.
type partition struct{ offset, size int64 }

// readPartitions reads the first four partitions of the image's GPT.
func readPartitions(path string) (ps []partition, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	table := make([]byte, 4*128)
	if _, err := f.ReadAt(table, 2*512); err != nil {
		return nil, err
	}
	for e := range slices.Chunk(table, 128) {
		first, last := binary.LittleEndian.Uint64(e[32:]), binary.LittleEndian.Uint64(e[40:])
		if first == 0 || last < first {
			return nil, errors.New("the image has fewer than four partitions")
		}
		ps = append(ps, partition{int64(first) * 512, int64(last-first+1) * 512})
	}
	return ps, nil
}

// writeExamples writes the folder kerb of the card: a README and two examples.
func (b build) writeExamples(dir string) error {
	errs := []error{os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "README.txt"), []byte(readme), 0o644)}
	for from, to := range map[string]string{"site-camera.toml": "site.toml.example", "policy-standard.toml": "policy.toml.example"} {
		content, err := os.ReadFile(filepath.Join(b.configs, from))
		errs = append(errs, err, os.WriteFile(filepath.Join(dir, to), content, 0o644))
	}
	return errors.Join(errs...)
}

const readme = `Write into this folder, on any computer, before the first start:

  policy.toml    what may be counted: the reviewer's file
  site.toml      which camera, which lines, which broker: the engineer's file
  wifi.toml      only for Wi-Fi: ssid = "..." and psk = "..."
  aim.toml       to draw the lines at the site: an empty file opens the page once
  system.toml    only if needed: time servers, where updates come from
  and the passwords, keys and certificates that site.toml names

Two .example files are here to begin with. The device takes the folder as a
whole, when kerb check finds nothing wrong with it, and copies it. If something
is wrong its green lamp flashes fast; what it is stands on the screen, in
report.txt here and, if the broker can be reached, in an event. To change
something later, change it here and start the device again.
`

// runCommand runs a program with its output on standard error.
func runCommand(c *exec.Cmd) error {
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(c.Args[:min(3, len(c.Args))], " "), err)
	}
	return nil
}
