package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheManifestNamesTheImageItsSizeAndItsHash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kerb.img")
	if err := os.WriteFile(path, []byte("image"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeManifest(path, "", time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(manifestPath(path))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		OS []struct {
			URL    string `json:"url"`
			Size   int    `json:"extract_size"`
			SHA256 string `json:"extract_sha256"`
			Init   string `json:"init_format"`
		} `json:"os_list"`
	}
	const sum = "6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d" // of "image"
	if err := json.Unmarshal(b, &m); err != nil || len(m.OS) != 1 || m.OS[0].URL != "file://"+path || m.OS[0].Size != 5 || m.OS[0].SHA256 != sum || m.OS[0].Init != "none" {
		t.Errorf("%v\n%s", err, b)
	}
}
