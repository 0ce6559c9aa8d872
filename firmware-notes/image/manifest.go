package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"
)

// writeManifest writes the list of one entry with which Raspberry Pi Imager (--repo, or a
// double click on a .rpi-imager-manifest) offers the image at path. Without an address
// it is the file itself. init_format "none" tells Imager that it has nothing to customise:
// kerb reads its files from the card.
func writeManifest(path, address string, made time.Time) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if address == "" {
		address = (&url.URL{Scheme: "file", Path: path}).String()
	}
	sum := fmt.Sprintf("%x", h.Sum(nil))
	b, err := json.MarshalIndent(map[string]any{
		"imager": map[string]any{"devices": []any{}},
		"os_list": []any{map[string]any{
			"name": "kerb", "description": "Counts people and vehicles at the kerb and forgets what it saw",
			"url": address, "release_date": made.Format(time.DateOnly), "init_format": "none",
			"extract_size": size, "extract_sha256": sum, "image_download_size": size, "image_download_sha256": sum,
			"devices": []string{"pi5-64bit", "pi4-64bit", "pi3-64bit"},
		}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(manifestPath(path), append(b, '\n'), 0o644)
}

// manifestPath returns the path of the manifest beside an image.
func manifestPath(image string) string { return image + ".rpi-imager-manifest" }
