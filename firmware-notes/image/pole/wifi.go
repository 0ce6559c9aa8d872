package main

import (
	"context"
	"time"

	"github.com/mdlayher/wifi"
)

// keepJoined keeps the device in its Wi-Fi. It looks every 10 s. The radios of the
// Pi do the WPA handshake themselves (brcmfmac), so that no further program is
// needed.
func (d *device) keepJoined(ctx context.Context) {
	said := ""
	for ctx.Err() == nil {
		err := d.joinOnce()
		if err != nil && err.Error() != said {
			said = err.Error()
			d.log.Printf("Wi-Fi: %v", err)
		}
		select {
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
		}
	}
}

// joinOnce joins the Wi-Fi with the first radio, unless it has joined.
func (d *device) joinOnce() error {
	c, err := wifi.New()
	if err != nil {
		return err
	}
	defer c.Close()
	radios, err := c.Interfaces()
	if err != nil {
		return err
	}
	for _, r := range radios {
		if r.Type != wifi.InterfaceTypeStation {
			continue
		}
		if b, err := c.BSS(r); err == nil && b.SSID == d.settings.wifi.SSID && b.Status == wifi.BSSStatusAssociated {
			return nil
		}
		if err := c.ConnectWPAPSK(r, d.settings.wifi.SSID, d.settings.wifi.PSK); err != nil {
			return err
		}
		d.log.Printf("Wi-Fi: joined %s", d.settings.wifi.SSID)
		return nil
	}
	return nil // no radio yet
}
