package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerb/agent/config"
	"kerb/agent/network"
)

func TestANetworkThatWasExchangedIsNotLoaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eye.kerb")
	if err := os.WriteFile(path, []byte("another one"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := cameraModel(config.Camera{Model: path, ModelSum: network.Sum([]byte("the one"))})
	if err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("exchanged: %v", err)
	}
	_, err = cameraModel(config.Camera{Model: path, ModelSum: network.Sum([]byte("another one"))})
	if err != nil {
		t.Errorf("unchanged: %v", err)
	}
}
