package admission

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
)

// Files are the paths of the two files that most commands read, as flags of kong.
type Files struct {
	Site   string `help:"The engineer's file." default:"/etc/kerb/site.toml" placeholder:"F"`
	Policy string `help:"The reviewer's file." default:"/etc/kerb/policy.toml" placeholder:"F"`
}

// ReadFingerprint returns the SHA-256 of site.toml followed by the hash of the
// policy in force, as 64 hexadecimal digits. It is equal in two processes that
// run on the same files. The error is that of reading site.toml.
func (f Files) ReadFingerprint(d Decision) (string, error) {
	b, err := os.ReadFile(f.Site)
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
}

// Args returns the command-line arguments that parse to f.
func (f ChildFlags) Args() []string {
	args := []string{"--site", f.Site, "--policy", f.Policy, "--agreed", f.Fingerprint}
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
