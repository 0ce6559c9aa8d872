package admission

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"kerb/agent/config"
	"kerb/agent/policy"
)

// files are the two files that most commands read.
type Files struct {
	Site   string `help:"The engineer's file." default:"/etc/kerb/site.toml" placeholder:"F"`
	Policy string `help:"The reviewer's file." default:"/etc/kerb/policy.toml" placeholder:"F"`
}

// conflictError is what the site asks for and the policy forbids.
type ConflictError []policy.Conflict

func (e ConflictError) Error() string {
	lines := make([]string, len(e))
	for i, c := range e {
		lines[i] = c.Error()
	}
	return strings.Join(lines, "\n") + "\nhint: the policy decides; ask for less, or ask its controller"
}

// asked is the site in the policy's words.
func SiteRequests(s *config.Site) policy.Site {
	out := policy.Site{At: s.LocateKey("")}
	for i, c := range s.Cameras {
		key := fmt.Sprintf("camera[%d]", i)
		out.Cameras = append(out.Cameras, policy.Camera{Name: c.Name, At: s.LocateKey(key + ".name"), Masks: len(c.Masks)})
		for j, st := range c.Streams() {
			at := fmt.Sprintf("%s.line[%d].id", key, j)
			if j >= len(c.Lines) {
				at = fmt.Sprintf("%s.zone[%d].id", key, j-len(c.Lines))
			}
			out.Streams = append(out.Streams, policy.Stream{Stream: st, At: s.LocateKey(at)})
		}
	}
	for i, st := range s.Loops.Streams() {
		out.Streams = append(out.Streams, policy.Stream{Stream: st, At: s.LocateKey(fmt.Sprintf("loop.lane[%d].id", i))})
	}
	return out
}

// inner is what the processes within kerb run have in common.
type ChildFlags struct {
	Files
	Quiet       bool   `help:"Log warnings only."`
	Fingerprint string `name:"agreed" help:"What the two files were when kerb run read them."`
}

// args are the words that make a process read the same files.
func (i ChildFlags) Args() []string {
	args := []string{"--site", i.Site, "--policy", i.Policy, "--agreed", i.Fingerprint}
	if i.Quiet {
		args = append(args, "--quiet")
	}
	return args
}

// agree is a name for what site.toml says and which policy is in force.
func (f Files) ReadFingerprint(v Decision) (string, error) {
	b, err := os.ReadFile(f.Site)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(append(b, v.Policy.Hash()...))), nil
}

func (i ChildFlags) LogLevel() slog.Level {
	if i.Quiet {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
