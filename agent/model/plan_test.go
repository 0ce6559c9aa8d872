package model

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerb/agent/config"
)

func TestANetworkThatWasExchangedIsNotLoaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eye.kerb")
	if err := os.WriteFile(path, []byte("another one"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ReadCameraNetwork(config.Camera{Model: path, ModelSum: Sum([]byte("the one"))})
	if err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("exchanged: %v", err)
	}
	_, err = ReadCameraNetwork(config.Camera{Model: path, ModelSum: Sum([]byte("another one"))})
	if err != nil {
		t.Errorf("unchanged: %v", err)
	}
}
