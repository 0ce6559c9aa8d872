package proof

import (
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"kerb/agent/cage"
	"kerb/agent/terminal"
)

// proof is the bundle. What it does not show is said in Limits.
type Bundle struct {
	Schema string        `json:"schema"`
	At     time.Time     `json:"at"`
	Took   float64       `json:"took_s"`
	User   int           `json:"uid"`
	OK     bool          `json:"ok"`
	Faults []string      `json:"faults"`
	Walls  []cage.Report `json:"walls"` // free is the control: there the attempts must go through
	Canary CanaryResult  `json:"canary"`
	Wire   WireResult    `json:"wire"`
	Build  BuildFacts    `json:"build"`
	Limits []string      `json:"limits"`
}

type BuildFacts struct {
	Version  string            `json:"version"`
	Go       string            `json:"go"`
	Binary   string            `json:"binary_sha256"`
	Settings map[string]string `json:"settings"`
	Modules  map[string]string `json:"modules"` // path@version → hash
	Recipe   string            `json:"recipe"`
}

const recipe = "CGO_ENABLED=0 go build -trimpath -buildvcs=auto -ldflags '-s -w -X main.release=RELEASE' ./agent"

// caveats are what a reader must not take the bundle for.
func Limits() []string {
	return []string{
		"The canary shows leaks by accident. What a changed program would hide is held by the walls and by the build facts.",
		"The clock of this device dates the bundle; its key signs it. Who holds the device can make another.",
	}
}

// judgeWalls compares every role with the one that has no walls.
func (p *Bundle) JudgeWalls() {
	through := 0
	for _, w := range p.Walls[0].Walls {
		if !w.Holds {
			through++
		}
	}
	if through == 0 {
		p.Faults = append(p.Faults, "control: not one attempt goes through without walls: nothing is shown by those that do not")
	}
	for _, r := range p.Walls[1:] {
		for _, w := range r.Walls {
			if !w.Holds && w.Reason == "" {
				p.Faults = append(p.Faults, fmt.Sprintf("walls: %s can %s", r.Role, w.Name))
			}
		}
	}
}

func ReadBuild(version string) (BuildFacts, error) {
	b := BuildFacts{Version: version, Go: runtime.Version(), Settings: map[string]string{}, Modules: map[string]string{}, Recipe: recipe}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return b, err
	}
	b.Binary = fmt.Sprintf("%x", sha256.Sum256(self))
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			b.Settings[s.Key] = s.Value
		}
		for _, d := range info.Deps {
			b.Modules[d.Path+"@"+d.Version] = d.Sum
		}
	}
	return b, nil
}

func (p Bundle) Print(t terminal.Terminal, path string) {
	for _, r := range p.Walls[1:] {
		fmt.Fprintln(t.Out, r)
	}
	c := p.Canary
	fmt.Fprintf(t.Out, "canary: %d pictures were seen, %d windows and %d messages left\n", c.Pictures, p.Wire.Windows, p.Wire.Messages)
	for _, s := range append(c.Controls, c.Places...) {
		what := "nothing"
		if len(s.Found) > 0 {
			what = fmt.Sprint(s.Found)
		}
		if s.Refused != "" {
			what = "refused: " + s.Refused
		}
		fmt.Fprintf(t.Out, "  %-34s %9d KB  %s\n", s.Place, s.Bytes>>10, what)
	}
	fmt.Fprintf(t.Out, "wire: %d messages, all of the declared shape: %t\n", p.Wire.Messages, len(p.Wire.Faults) == 0)
	fmt.Fprintf(t.Out, "build: %s, %s, sha256 %s, %d modules\n", p.Build.Version, p.Build.Go, p.Build.Binary, len(p.Build.Modules))
	for _, l := range p.Limits {
		fmt.Fprintln(t.Out, "limit:", l)
	}
	for _, f := range p.Faults {
		fmt.Fprintln(t.Out, "FAULT:", f)
	}
	fmt.Fprintf(t.Out, "took %.1f s; %s and its .minisig\n", p.Took, path)
}
