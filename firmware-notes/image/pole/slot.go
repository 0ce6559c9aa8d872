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

// Two partitions hold a system each. Which one starts stands in cmdline.txt on
// the boot partition, in one sector, so that it is changed at once or not.
//
// tryWord is gokrazy's: its init, in the old slot, takes the word out of
// cmdline.txt and then goes over to the other slot. However the new system ends
// before it was found well (power cut, panic, watchdog, or pole's own verdict),
// the next start is the old one's.
const (
	tryWord   = "gokrazy.try_boot_inactive=1"
	triedWord = "gokrazy.switch_on_boot=1"
)

// A slot is which system runs.
type slot struct {
	version int64
	running int    // its partition
	spare   int    // the other's
	trial   bool   // this start is a trial: cmdline.txt still names the other slot
	disk    string // below /sys
}

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

// slotPattern is how a command line names a slot: by its distance from the first
// partition, whose name is the same on every start.
var slotPattern = regexp.MustCompile(`(root=PARTUUID=[0-9a-fA-F-]+/PARTNROFF=)([0-9]+)`)

// namedPartition is the partition that a command line starts; 0: it does not say.
func namedPartition(cmdline string) int {
	m := slotPattern.FindStringSubmatch(cmdline)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[2]) // the pattern has digits only
	return bootPartition + n
}

// judgeTrial gives a system on trial its time to become well, then keeps it or goes
// back.
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

// startFrom is a kernel command line that starts a slot; try: the other one, once.
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

// editCmdline changes cmdline.txt in its place, padded with spaces.
func (s slot) editCmdline(edit func(string) string) error {
	card, done, err := s.mountBoot()
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

const failedFile = permDir + "/failed-system" // the version on trial: not tried again if it is still there

// trySpare makes the spare slot start once.
func (d *device) trySpare(version int64) error {
	if err := writeSynced(failedFile, fmt.Appendf(nil, "%d\n", version)); err != nil {
		return err
	}
	return d.slot.editCmdline(func(line string) string { return startFrom(line, d.slot.running, true) })
}

// readFailed is the version that was tried last and did not do well.
func readFailed() (version int64) {
	b, err := os.ReadFile(failedFile)
	if err == nil {
		_, _ = fmt.Sscan(string(b), &version)
	}
	return version
}

func reboot() {
	unix.Sync()
	time.Sleep(2 * time.Second) // for what was said to be seen
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART); err != nil {
		fmt.Fprintln(os.Stderr, "reboot:", err)
	}
}
