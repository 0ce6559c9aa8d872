package admission

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"kerb/agent/config"
	"kerb/agent/state"
)

// Files are the paths of the two files that most commands read, as flags of kong.
type Files struct {
	Site   string `help:"The engineer's file." default:"/etc/kerb/site.toml" placeholder:"F"`
	Policy string `help:"The reviewer's file." default:"/etc/kerb/policy.toml" placeholder:"F"`

	SiteText string `kong:"-"` // a file with the text of Site, which then gives only the directory of relative paths; empty: Site itself
}

// SiteTextPath returns the path of the file that holds the text of site.toml.
func (f Files) SiteTextPath() string { return cmp.Or(f.SiteText, f.Site) }

// CommandFlags returns the flags with which another command reads the same two files, each
// behind a blank, to print it for people; "" for the files of the package.
func (f Files) CommandFlags() string {
	return SiteFlag(f.Site) + writeFlag("policy", f.Policy, config.DefaultPolicy)
}

// SiteFlag returns the flag for a site file as CommandFlags does, for a command that reads
// no policy.
func SiteFlag(site string) string { return writeFlag("site", site, config.DefaultSite) }

// writeFlag returns " -name path", with the path in quotes for a shell where it needs them.
func writeFlag(name, path, normal string) string {
	if path == normal || path == "" {
		return ""
	}
	if strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("/._-+@:", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		path = "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return " -" + name + " " + path
}

// CopyFiles copies both files, and the signatures of the policy, into the state
// directory and returns where a child of kerb run reads them. A child that starts later
// then reads what kerb run read, whatever an editor has written since.
func (f Files) CopyFiles(dir string) (Files, error) {
	site, pol := filepath.Join(dir, state.RunningPrefix+"site.toml"), filepath.Join(dir, state.RunningPrefix+"policy.toml")
	if err := copyFile(f.SiteTextPath(), site); err != nil {
		return f, err
	}
	for _, suffix := range append([]string{""}, SignatureSuffixes()...) {
		err := copyFile(f.Policy+suffix, pol+suffix)
		if suffix != "" && errors.Is(err, fs.ErrNotExist) {
			err = os.Remove(pol + suffix) // of an earlier run
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
		}
		if err != nil {
			return f, err
		}
	}
	return Files{Site: f.Site, Policy: pol, SiteText: site}, nil
}

// copyFile replaces the file at to by one with the content of from.
func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return state.Replace(to, b, "")
}

// ReadFingerprint returns the SHA-256 of site.toml followed by the hash of the
// policy in force, as 64 hexadecimal digits. It is equal in two processes that
// run on the same files. The error is that of reading site.toml.
func (f Files) ReadFingerprint(d Decision) (string, error) {
	b, err := os.ReadFile(f.SiteTextPath())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(append(b, d.Policy.Hash()...))), nil
}

// ChildFlags are the flags of every process that kerb run and kerb aim start.
type ChildFlags struct {
	Files
	Quiet       bool   `help:"Log warnings only."`
	Fingerprint string `name:"agreed" help:"What the two files were when kerb run read them."`
	Copy        string `help:"A copy of the engineer's file, as kerb run read it." placeholder:"F"`
}

// Args returns the command-line arguments that parse to f.
func (f ChildFlags) Args() []string {
	args := []string{"--site", f.Site, "--policy", f.Policy, "--agreed", f.Fingerprint}
	if f.SiteText != "" {
		args = append(args, "--copy", f.SiteText)
	}
	if f.Quiet {
		args = append(args, "--quiet")
	}
	return args
}

// LogLevel returns the level of the log: warnings with Quiet, else info.
func (f ChildFlags) LogLevel() slog.Level {
	if f.Quiet {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
