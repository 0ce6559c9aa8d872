package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Each of two partitions (slots) holds a system. cmdline.txt on the boot partition
// names the slot that starts. It lies in one sector, so a change of it is atomic.
//
// tryWord is gokrazy's: its init, in the old slot, removes the word from
// cmdline.txt and then switches to the other slot. If the new system ends before it
// was found well (power cut, panic, watchdog, or pole's own decision), the next
// start is that of the old one.
const (
	tryWord   = "gokrazy.try_boot_inactive=1"
	triedWord = "gokrazy.switch_on_boot=1"
)

// A slot describes the running system and where it lies.
type slot struct {
	version int64
	running int    // its partition
	spare   int    // the partition of the other slot
	trial   bool   // this start is a trial: cmdline.txt still names the other slot
	disk    string // folder of the disk below /sys
}

// findSlot reads the version of this system and finds its partition.
func findSlot() (slot, error) {
	var about struct{ Version int64 }
	text, err := os.ReadFile("/etc/kerb-image.json")
	if err == nil {
		err = json.Unmarshal(text, &about)
	}
	if err != nil {
		return slot{}, fmt.Errorf("which system this is: %w", err)
	}
	s := slot{version: about.Version}
	if s.running, s.disk, err = rootPartition(); err != nil {
		return s, err
	}
	s.spare = slotA + slotB - s.running
	cmdline, err := os.ReadFile("/proc/cmdline")
	s.trial = namedPartition(string(cmdline)) != s.running
	return s, err
}

// slotPattern matches the slot in a command line: its distance from the first
// partition, whose name is the same on every start.
var slotPattern = regexp.MustCompile(`(root=PARTUUID=[0-9a-fA-F-]+/PARTNROFF=)([0-9]+)`)

// namedPartition is the partition that a command line starts; 0 where it names none.
func namedPartition(cmdline string) int {
	m := slotPattern.FindStringSubmatch(cmdline)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[2]) // the pattern has digits only
	return bootPartition + n
}

// judgeTrial waits until the system on trial is well, and keeps it then: it makes
// its slot the one that starts. After settings.Update.Trial it reboots into the old
// system.
func (d *device) judgeTrial(ctx context.Context) {
	d.log.Printf("trial: this system has %v to count, reach the broker and know the time", d.settings.Update.Trial)
	missing := []string{"everything"}
	for end := time.Now().Add(d.settings.Update.Trial.Duration); time.Now().Before(end); {
		if missing = d.agent.missingHealth(); len(missing) == 0 {
			err := d.slot.editCmdline(func(line string) string { return startFrom(line, d.slot.running, false) })
			if err == nil {
				d.log.Printf("trial: well, and kept: system %d starts from now on", d.slot.version)
				_ = os.Remove(failedFile)
				return
			}
			d.log.Printf("trial: %v", err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
	d.log.Printf("trial: NOT WELL: no %s; back to the old system", strings.Join(missing, ", no "))
	reboot()
}

// startFrom changes a kernel command line to start a slot; try: the other slot, once.
func startFrom(line string, partition int, try bool) string {
	line = slotPattern.ReplaceAllString(line, fmt.Sprintf("${1}%d", partition-bootPartition))
	var words []string
	for _, w := range strings.Fields(line) {
		if w != tryWord && w != triedWord {
			words = append(words, w)
		}
	}
	if try {
		words = append(words, tryWord)
	}
	return strings.Join(words, " ")
}

// editCmdline changes cmdline.txt in place, on the partition's device, padded with
// spaces.
func (s slot) editCmdline(edit func(string) string) error {
	card, done, err := s.mountBoot(false)
	if err != nil {
		return err
	}
	at, length, err := blockOffset(filepath.Join(card, "cmdline.txt"))
	done()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.partitionDevice(bootPartition), os.O_RDWR|os.O_SYNC, 0)
	if err != nil {
		return err
	}
	return errors.Join(editAt(f, at, length, edit), f.Close())
}

// editAt changes the command line of length bytes at an offset of a file.
func editAt(f *os.File, at, length int64, edit func(string) string) error {
	old := make([]byte, length)
	if _, err := f.ReadAt(old, at); err != nil {
		return err
	}
	if namedPartition(string(old)) == 0 {
		return errors.New("cmdline.txt does not name a slot")
	}
	text := edit(string(old))
	if int64(len(text)) > length {
		return fmt.Errorf("cmdline.txt has no room for %q", text)
	}
	text += strings.Repeat(" ", int(length)-len(text))
	_, err := f.WriteAt([]byte(text), at)
	return err
}

// failedFile holds the version on trial. While it exists that version is not tried
// again.
const failedFile = permDir + "/failed-system"

// trySpare makes the spare slot start once, at the next start.
func (d *device) trySpare(version int64) error {
	if err := writeSynced(failedFile, fmt.Appendf(nil, "%d\n", version)); err != nil {
		return err
	}
	return d.slot.editCmdline(func(line string) string { return startFrom(line, d.slot.running, true) })
}

// readFailed is the version that was tried last and did not become well; 0: none.
func readFailed() (version int64) {
	b, err := os.ReadFile(failedFile)
	if err == nil {
		_, _ = fmt.Sscan(string(b), &version)
	}
	return version
}

// reboot restarts the device. The start that ends so is no short one.
func reboot() {
	_ = os.Remove(startsFile)
	unix.Sync()
	time.Sleep(2 * time.Second) // for the last messages to be seen
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART); err != nil {
		fmt.Fprintln(os.Stderr, "reboot:", err)
	}
}
