package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aead.dev/minisign"
	"github.com/pelletier/go-toml/v2"
)

// settings are system.toml and wifi.toml, which describe the device and not the
// counting. Both may be missing.
type settings struct {
	Time struct {
		Servers []string `toml:"servers"` // NTP, as host or host:port
	} `toml:"time"`
	Update struct {
		URL   string   `toml:"url"`  // of the folder that holds update.json
		Keys  []string `toml:"keys"` // minisign public keys; each alone suffices
		Every duration `toml:"every"`
		Trial duration `toml:"trial"` // time in which a new system must become well
	} `toml:"update"`

	Aim aimSettings `toml:"aim"`

	wifi struct {
		SSID string `toml:"ssid"`
		PSK  string `toml:"psk"`
	}
	keys []minisign.PublicKey
}

// duration is a Go duration in TOML.
type duration struct{ time.Duration }

// UnmarshalText parses a duration such as 6h.
func (d *duration) UnmarshalText(b []byte) (err error) {
	d.Duration, err = time.ParseDuration(string(b))
	return err
}

// readSettings reads and checks both files. Its error lists all mistakes. The
// settings beside an error are valid as far as they go: a device with a wrong file
// must be reachable.
func readSettings(dir string) (settings, error) {
	var s settings
	s.Time.Servers = []string{"0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org"}
	s.Update.Every.Duration, s.Update.Trial.Duration = 6*time.Hour, 10*time.Minute
	err := errors.Join(readStrict(dir, "system.toml", &s), readStrict(dir, "wifi.toml", &s.wifi))
	if w := s.wifi; fileExists(dir, "wifi.toml") {
		if len(w.SSID) < 1 || len(w.SSID) > 32 {
			err = errors.Join(err, errors.New("wifi.toml: ssid: must be 1–32 bytes"))
		}
		if len(w.PSK) < 8 || len(w.PSK) > 63 {
			err = errors.Join(err, errors.New("wifi.toml: psk: must be 8–63 characters")) // without its value
		}
	}
	for i, text := range s.Update.Keys {
		var k minisign.PublicKey
		if k.UnmarshalText([]byte(text)) != nil {
			err = errors.Join(err, fmt.Errorf("system.toml: update.keys: member %d is no minisign public key", i+1))
			continue
		}
		s.keys = append(s.keys, k)
	}
	err = errors.Join(err, s.Aim.check("system.toml: aim."))
	if u, bad := url.Parse(s.Update.URL); s.Update.URL != "" && (bad != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		err = errors.Join(err, fmt.Errorf("system.toml: update.url = %q: must be http:// or https:// with a host", s.Update.URL))
	}
	if s.Update.URL != "" && len(s.Update.Keys) == 0 {
		err = errors.Join(err, errors.New("system.toml: update.keys: is missing: nothing unsigned is installed"))
	}
	for _, d := range []struct {
		key    string
		d, min time.Duration
	}{{"every", s.Update.Every.Duration, time.Second}, {"trial", s.Update.Trial.Duration, 30 * time.Second}} {
		if d.d < d.min || d.d > 7*24*time.Hour {
			err = errors.Join(err, fmt.Errorf("system.toml: update.%s = %q: must be %v–168h", d.key, d.d, d.min))
		}
	}
	return s, err
}

// fileExists reports whether a file of the folder can be seen.
func fileExists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// readStrict reads a TOML file that may be missing, and refuses unknown keys.
func readStrict(dir, name string, v any) error {
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = toml.NewDecoder(f).DisallowUnknownFields().Decode(v)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var names []string
		for _, e := range unknown.Errors {
			row, _ := e.Position()
			names = append(names, fmt.Sprintf("%s:%d: %s: no such key", name, row, strings.Join(e.Key(), ".")))
		}
		return errors.New(strings.Join(names, "\n"))
	}
	var torn *toml.DecodeError
	if errors.As(err, &torn) {
		row, _ := torn.Position()
		return fmt.Errorf("%s:%d: %s: text stands in straight quotes, as in ssid = \"north\", and the file is UTF-8 without a byte order mark", name, row, strings.TrimPrefix(torn.Error(), "toml: "))
	}
	return err
}

// startSystem starts the parts that do not depend on kerb: Wi-Fi, clock, updates.
func (d *device) startSystem(ctx context.Context, dir string) {
	if dir == "" {
		dir = offeredDir // its valid part
	}
	var err error
	if d.settings, err = readSettings(dir); err != nil {
		d.log.Print(err)
	}
	if d.settings.wifi.SSID != "" {
		go d.keepJoined(ctx)
	}
	go d.keepTime(ctx)
	if d.settings.Update.URL != "" && len(d.settings.keys) > 0 {
		go d.keepUpdated(ctx)
	}
}
