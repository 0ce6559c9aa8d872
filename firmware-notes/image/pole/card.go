package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Files go from the card to the device as one set, or not at all:
//
//	/perm/kerb/set-HASH     a set that kerb check has passed
//	/perm/kerb/current      a link to the set in force
//	/perm/kerb/offered      a copy of the card's folder, being checked
//
// The set in force survives an update of the boot partition, and a card that goes
// bad there.
const (
	currentLink  = permDir + "/current"
	offeredDir   = permDir + "/offered"
	maxCardBytes = 8 << 20 // of all files in the folder; a network is a few megabytes
)

// refusedError lists the mistakes in the files on the card, in kerb's words.
type refusedError string

// Error lists the mistakes, one a line.
func (e refusedError) Error() string { return string(e) }

// admitCard checks the files on the card, puts them in force and returns the folder
// of the set in force, empty if there is none. Its error tells why the files on the
// card are not in force.
func (d *device) admitCard() (string, error) {
	current, err := filepath.EvalSymlinks(currentLink)
	if err != nil {
		current = ""
	}
	sum, err := d.copyCard()
	if refused := refusedError(""); errors.As(err, &refused) {
		return current, refused
	}
	if errors.Is(err, fs.ErrNotExist) {
		if current != "" {
			return current, errors.Join(closeSet(current), os.RemoveAll(cardUnfinishedFile)) // the owner emptied it, so that it holds no secret
		}
		return "", refusedError("the card has no kerb/policy.toml and kerb/site.toml: write them on a computer, see kerb/README.txt there")
	}
	if err != nil {
		return current, refusedError(fmt.Sprintf("read the card: %v", err))
	}
	if current != "" {
		if state, err := d.reconcileCard(current, sum); err != nil || state != cardChanged {
			return current, errors.Join(err, os.RemoveAll(offeredDir))
		}
	}
	if err := d.checkOffered(); err != nil {
		return current, err
	}
	set := filepath.Join(permDir, "set-"+sum)
	if set == current { // as it was before lines were drawn
		set += "-again"
	}
	if err := errors.Join(os.RemoveAll(set), os.Rename(offeredDir, set)); err != nil {
		return current, err
	}
	if err := errors.Join(linkCurrent(set), writeAtomic(cardSumFile, []byte(sum+"\n"))); err != nil {
		return current, err
	}
	if current != "" {
		d.log.Printf("the card's files are in force from now on; the former are gone")
		return set, os.RemoveAll(current)
	}
	return set, nil
}

// reconcileCard compares the card, by the hash of its files, with the set in force, and
// copies lines from a session to the card that a power cut kept from it.
func (d *device) reconcileCard(current, card string) (cardState, error) {
	if err := closeSet(current); err != nil {
		return cardChanged, err
	}
	set, err := hashSet(current)
	if err != nil {
		return cardChanged, err
	}
	_, unfinished := os.Stat(cardUnfinishedFile)
	state := compareCard(card, set, knownCard(cardSumFile, current), unfinished == nil)
	switch state {
	case cardSame:
		return state, errors.Join(writeAtomic(cardSumFile, []byte(set+"\n")), os.RemoveAll(cardUnfinishedFile))
	case cardBehind:
		d.copySiteToCard(current)
	}
	return state, nil
}

// copySiteToCard copies the lines of the set in force to the card. A card that cannot be
// written keeps the old ones, and an emptied one stays empty: the set in force counts.
func (d *device) copySiteToCard(current string) {
	err := writeAtomic(cardUnfinishedFile, nil)
	if err == nil {
		err = d.slot.changeCard(func(card string) error { return writeSiteTo(card, current) })
	}
	if errors.Is(err, fs.ErrNotExist) {
		d.log.Printf("the card has no site.toml: the new lines are in force, in the device alone")
		_ = os.Remove(cardUnfinishedFile)
		return
	}
	if err != nil {
		d.log.Printf("the card does not get the new site.toml, which is in force: %v", err)
		return
	}
	d.log.Printf("site.toml on the card has the new lines")
	// With an emptied card, or other changes, the next start compares again.
	if sum, err := d.hashCard(); err == nil {
		err = errors.Join(writeAtomic(cardSumFile, []byte(sum+"\n")), os.Remove(cardUnfinishedFile))
		if err != nil {
			d.log.Print(err)
		}
	}
}

// hashCard returns the hash of the card's files.
func (d *device) hashCard() (string, error) {
	mount, done, err := d.slot.mountBoot(false)
	if err != nil {
		return "", err
	}
	defer done()
	return hashSet(filepath.Join(mount, "kerb"))
}

// copyCard copies the folder kerb of the boot partition to offeredDir and returns
// the hash of its content. A refusedError names files that lie under wrong names.
func (d *device) copyCard() (string, error) {
	mount, done, err := d.slot.mountBoot(false)
	if err != nil {
		return "", err
	}
	defer done()
	if err := findMisnamed(mount); err != nil {
		return "", refusedError(err.Error())
	}
	return copySet(filepath.Join(mount, "kerb"), offeredDir, kerbID)
}

// shareWithGroup makes a file that was just written readable for the group, unless
// err is set.
func shareWithGroup(err error, path string, mode os.FileMode, group int) error {
	if err != nil {
		return err
	}
	return errors.Join(os.Chown(path, -1, group), os.Chmod(path, mode))
}

// writeSynced writes a file and syncs it to the disk.
func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// linkCurrent puts a set in force: it replaces the link by a rename, and syncs the
// directory.
func linkCurrent(set string) error {
	if err := os.Remove(currentLink + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := errors.Join(os.Symlink(set, currentLink+".new"), os.Rename(currentLink+".new", currentLink))
	if err != nil {
		return err
	}
	return syncDir(permDir)
}

// checkOffered checks the offered files with pole's own parser and with kerb check.
// A refusedError lists their mistakes.
func (d *device) checkOffered() error {
	_, err := readSettings(offeredDir)
	if err != nil {
		return refusedError(err.Error())
	}
	if err := makeStateDir(); err != nil {
		return err
	}
	c := offeredCommand("check")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Run(); err != nil {
		return refusedError(cmp.Or(strings.TrimSpace(said.String()), err.Error()))
	}
	return nil
}

// The delay between two attempts to reach the broker doubles from minTell to maxTell.
const (
	minTell = 5 * time.Second
	maxTell = 5 * time.Minute
)

// reportRefused reports refused files on the lamp, on the screen and, as soon as
// the broker can be reached, in an event. idle: no set is in force.
func (d *device) reportRefused(ctx context.Context, wrong error, idle bool) {
	for line := range strings.Lines(wrong.Error()) {
		d.log.Printf("CARD REFUSED: %s", strings.TrimRight(line, "\n"))
	}
	if !idle {
		d.log.Printf("counting goes on with the files that were in force before")
		return
	}
	d.lamp.setCode(fault)
	d.log.Printf("NOTHING IS COUNTED: mend the files on the card and start again")
	if _, err := os.Stat(offeredDir); err != nil {
		return
	}
	go func() {
		for wait := minTell; ctx.Err() == nil; wait = min(2*wait, maxTell) {
			c := offeredCommand("check", "-tell")
			out, _ := c.CombinedOutput() // it exits with an error, because the files are wrong
			if bytes.Contains(out, []byte("the broker was told")) {
				d.log.Printf("the broker was told")
				return
			}
			time.Sleep(wait)
		}
	}()
}

// offeredCommand is a command of kerb over the copy of the card's folder, in that
// folder, so that its messages name the files as on the card.
func offeredCommand(command string, words ...string) *exec.Cmd {
	c := kerbCommand("", command, words...)
	c.Dir = offeredDir
	return c
}

// kerbCommand is a command of kerb over a set of files, as kerb's user.
func kerbCommand(dir, command string, words ...string) *exec.Cmd {
	words = append([]string{command, "-site", filepath.Join(dir, "site.toml"), "-policy", filepath.Join(dir, "policy.toml")}, words...)
	c := exec.Command(kerbBin, words...)
	c.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: kerbID, Gid: kerbID}, Pdeathsig: syscall.SIGKILL, Setpgid: true,
	}
	c.Env = []string{"PATH=/usr/bin", "HOME=" + stateDir}
	return c
}
