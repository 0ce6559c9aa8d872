package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// aimSettings say how a session of aiming begins: [aim] of system.toml, and of these keys
// aim.toml has minutes, camera, code, access_point and passphrase, without the table.
type aimSettings struct {
	Minutes int    `toml:"minutes"` // 0: as long as the policy allows
	Camera  string `toml:"camera"`  // "": the only one
	Code    string `toml:"code"`    // the first login code; "": it is drawn
	// AccessPoint opens an access point also beside another network.
	AccessPoint bool   `toml:"access_point"`
	Passphrase  string `toml:"passphrase"` // of the access point; "": it is drawn
	Button      string `toml:"button"`     // GPIO line of a push button; "": there is none
	// PowerCycle is whether three short starts open a session; true where the key is missing.
	PowerCycle *bool `toml:"power_cycle"`
}

// maxAimMinutes bounds a session, as kerb does. The policy's own limit is checked by kerb.
const maxAimMinutes = 60

// check lists the mistakes. Whether the code is hard enough to guess is checked by kerb.
func (a aimSettings) check(prefix string) (err error) {
	if a.Minutes < 0 || a.Minutes > maxAimMinutes {
		err = fmt.Errorf("%sminutes = %d: must be 1–%d, and no more than the policy allows", prefix, a.Minutes, maxAimMinutes)
	}
	if digits := strings.Join(strings.Fields(a.Code), ""); a.Code != "" && (len(digits) != 6 || strings.Trim(digits, "0123456789") != "") {
		err = errors.Join(err, errors.New(prefix+"code: must be six digits in quotes")) // without its value
	}
	if n := len(a.Passphrase); a.Passphrase != "" && (n < 8 || n > 63 || strings.ContainsFunc(a.Passphrase, func(r rune) bool { return r < ' ' || r > '~' })) {
		err = errors.Join(err, errors.New(prefix+"passphrase: must be 8–63 characters of ASCII")) // without its value
	}
	return err
}

// readRequest reads aim.toml in the folder kerb of the card. ok is false without one. A
// wrong one is an error.
func readRequest(card string) (a aimSettings, ok bool, err error) {
	if _, err := os.Stat(filepath.Join(card, aimFile)); errors.Is(err, fs.ErrNotExist) {
		if fileExists(card, aimFile+".txt") {
			return a, false, fmt.Errorf("%s.txt: its name must be %s, without .txt", aimFile, aimFile)
		}
		return a, false, nil
	}
	if err := readStrict(card, aimFile, &a); err != nil {
		return a, false, err
	}
	if a.PowerCycle != nil || a.Button != "" {
		return a, false, errors.New("aim.toml: power_cycle and button belong to [aim] of system.toml")
	}
	if err := a.check("aim.toml: "); err != nil {
		return a, false, err
	}
	return a, true, nil
}

// takeRequest reads aim.toml, and renames it before anything follows from it, so that
// no later start opens a session again. ok is false without one.
func (d *device) takeRequest() (a aimSettings, ok bool, err error) {
	mount, done, err := d.slot.mountBoot(false)
	if err != nil {
		return a, false, err
	}
	a, ok, err = readRequest(filepath.Join(mount, "kerb"))
	done()
	if !ok || err != nil {
		return a, false, err
	}
	if err := d.slot.changeCard(markTaken); err != nil {
		return a, false, fmt.Errorf("%s: the card cannot be written, and each start would open a session: %w", aimFile, err)
	}
	return a, true, nil
}

// markTaken renames aim.toml in the folder kerb of the card.
func markTaken(card string) error {
	taken := filepath.Join(card, aimTaken)
	if err := os.Remove(taken); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(os.Rename(filepath.Join(card, aimFile), taken), syncDir(card))
}

// deviceName returns the name of the device in site.toml, which kerb check has passed;
// "" where it cannot be read.
func deviceName(set string) string {
	var site struct {
		Device struct {
			Name string `toml:"name"`
		} `toml:"device"`
	}
	text, err := os.ReadFile(filepath.Join(set, "site.toml"))
	if err != nil || toml.Unmarshal(text, &site) != nil {
		return ""
	}
	return site.Device.Name
}
