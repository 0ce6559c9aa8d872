package proof

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"aead.dev/minisign"

	"kerb/agent/state"
)

// WriteSigned writes kerb-proof.json, its minisign signature and the public key into
// the directory dir, and returns the path of the first. It signs with the minisign key
// of keyFile and its password, or without keyFile with this device's own, which lies in
// the directory state.
func WriteSigned(dir string, bundle Bundle, keyFile, password, state string) (string, error) {
	b, err := json.MarshalIndent(bundle, "", "  ")
	if err != nil {
		return "", err
	}
	b = append(b, '\n')
	key, err := signingKey(keyFile, password, state)
	if err != nil {
		return "", err
	}
	public, ok := key.Public().(minisign.PublicKey)
	if !ok {
		return "", errors.New("a minisign key without its public half")
	}
	open, err := public.MarshalText()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "kerb-proof.pub"), append(open, '\n'), 0o644); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "kerb-proof.json")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return "", err
	}
	return path, os.WriteFile(path+".minisig", minisign.Sign(key, b), 0o644)
}

// signingKey returns the key of keyFile, or else this device's own, which the first
// call generates and stores in the state directory. Without that directory, or
// where it may not be written, the key serves for this bundle only and is not stored.
func signingKey(keyFile, password, stateDir string) (key minisign.PrivateKey, err error) {
	if keyFile != "" {
		return readKey(keyFile, password)
	}
	owner, err := state.OpenOwner(stateDir)
	if err != nil {
		return key, err
	}
	err = owner.Do(func(dir string) (err error) {
		key, err = deviceKey(dir)
		return err
	})
	return key, errors.Join(err, owner.Close())
}

// CheckKey returns why WriteSigned could not sign with the key of a file, nil for no file:
// it is asked before the work of a proof.
func CheckKey(keyFile, password string) error {
	if keyFile == "" {
		return nil
	}
	_, err := readKey(keyFile, password)
	return err
}

// readKey reads a secret key of minisign, with a password or without.
func readKey(path, password string) (key minisign.PrivateKey, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return key, fmt.Errorf("read the key: %w; minisign -G -p NAME.pub -s NAME.key makes one", err)
	}
	if !minisign.IsEncrypted(b) {
		if err = key.UnmarshalText(b); err != nil {
			return key, fmt.Errorf("%s is no secret key of minisign: %w", path, err)
		}
		return key, nil
	}
	if key, err = minisign.DecryptKey(password, b); err != nil {
		return key, fmt.Errorf("%s: the password in KERB_KEY_PASSWORD does not fit, or the file is no secret key of minisign: %w", path, err)
	}
	return key, nil
}

// deviceKey returns the key in the state directory dir, or generates it.
func deviceKey(dir string) (key minisign.PrivateKey, err error) {
	path := filepath.Join(dir, state.ProofKey)
	if b, err := os.ReadFile(path); err == nil {
		return key, key.UnmarshalText(b)
	}
	if _, key, err = minisign.GenerateKey(rand.Reader); err != nil {
		return key, err
	}
	if _, err := os.Stat(dir); err != nil {
		return key, nil
	}
	secret, err := key.MarshalText()
	if err != nil {
		return key, err
	}
	if err := state.Replace(path, secret, ""); err != nil && !errors.Is(err, fs.ErrPermission) {
		return key, err
	}
	return key, nil
}
