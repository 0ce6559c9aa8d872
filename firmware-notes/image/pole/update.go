package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"aead.dev/minisign"
)

// An offer is update.json. It is signed in update.json.minisig and names the system
// that lies beside it.
type offer struct {
	Version int64  `json:"version"`
	File    string `json:"file"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
}

// keepUpdated looks for a newer system and installs it into the spare slot. Its
// delay is random, half to one and a half of settings.Update.Every.
func (d *device) keepUpdated(ctx context.Context) {
	for ctx.Err() == nil {
		// The delay spreads the requests of 11,000 devices.
		wait := d.settings.Update.Every.Duration/2 + rand.N(d.settings.Update.Every.Duration)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		if len(d.agent.missingHealth()) > 0 && d.slot.trial {
			continue // a system on trial that is not yet well installs no other
		}
		if err := d.updateOnce(ctx); err != nil {
			d.log.Printf("update: %v", err)
		}
	}
}

// updateOnce installs the offered system and starts it on trial, if it is newer and
// has not been tried.
func (d *device) updateOnce(ctx context.Context) error {
	o, err := d.fetchOffer(ctx)
	if err != nil {
		return err
	}
	switch {
	case o.Version == d.slot.version:
		return nil
	case o.Version < d.slot.version:
		return fmt.Errorf("version %d is older than what runs, %d", o.Version, d.slot.version)
	case o.Version == readFailed():
		return nil // logged when it failed
	}
	d.log.Printf("update: system %d goes into slot %d", o.Version, d.slot.spare)
	if err := d.installSystem(ctx, o); err != nil {
		return err
	}
	if err := d.trySpare(o.Version); err != nil {
		return err
	}
	d.log.Printf("update: system %d is tried now", o.Version)
	reboot()
	return nil
}

// The bounds of an update, chosen by hand.
const (
	maxOfferBytes  = 64 << 10  // update.json, and its signature
	maxSystemBytes = 500 << 20 // the size of a slot
	installTimeout = time.Hour
)

// fetchOffer fetches the offer and verifies that a key of this device signed it.
func (d *device) fetchOffer(ctx context.Context) (o offer, err error) {
	text, err := d.fetchSmall(ctx, "update.json")
	if err != nil {
		return o, err
	}
	signature, err := d.fetchSmall(ctx, "update.json.minisig")
	if err != nil {
		return o, err
	}
	if !slices.ContainsFunc(d.settings.keys, func(k minisign.PublicKey) bool { return minisign.Verify(k, text, signature) }) {
		return o, errors.New("update.json is not signed by a key of this device")
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("update.json: %w", err)
	}
	if o.Version <= 0 || o.Size <= 0 || o.Size > maxSystemBytes || strings.ContainsAny(o.File, "/\\") || o.File == "" {
		return o, errors.New("update.json: version, size or file make no sense")
	}
	return o, nil
}

// fetchSmall fetches a file of at most maxOfferBytes from the update folder.
func (d *device) fetchSmall(ctx context.Context, name string) ([]byte, error) {
	body, err := d.openURL(ctx, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxOfferBytes))
}

// openURL opens a file of the update folder by HTTP. A status other than 200 is an
// error.
func (d *device) openURL(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(d.settings.Update.URL, "/")+"/"+name, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("%s: %s", name, answer.Status)
	}
	return answer.Body, nil
}

// installSystem writes the system into the spare slot, reads it back and compares its
// hash.
func (d *device) installSystem(ctx context.Context, o offer) error {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	body, err := d.openURL(ctx, o.File)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.OpenFile(d.slot.partitionDevice(d.slot.spare), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(f, io.LimitReader(body, o.Size))
	if err = errors.Join(err, f.Sync()); err != nil {
		return err
	}
	if n != o.Size {
		return fmt.Errorf("%s: %d of %d bytes came", o.File, n, o.Size)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, o.Size)); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != o.SHA256 {
		return fmt.Errorf("%s: its hash is %s, the offer says %s", o.File, got, o.SHA256)
	}
	return nil
}
