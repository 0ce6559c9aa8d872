// Package proof gathers the evidence that pictures do not leave a device. It measures
// the walls of every role, runs a second kerb on pictures with a mark (package canary),
// and searches for the mark in memory, files, log output and MQTT messages. The results
// are one Bundle, which kerb prove signs.
//
// Every search has a control that must find the mark: planted leaks, and the memory of
// the process that reads the pictures. A control that finds no mark is a fault, unless
// the kernel refused the search.
//
// The package refuses to call a place clean that it could not read: the bundle has the
// kernel's refusal instead. It does not show that a changed program hides no leak; see
// Limits.
package proof

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"kerb/agent/cage"
	"kerb/agent/terminal"
)

// A Bundle holds all results of kerb prove, with the keys of its JSON (schema
// kerb.proof/1). Limits lists the conclusions that it does not support.
type Bundle struct {
	Schema string    `json:"schema"`
	At     time.Time `json:"at"`
	Took   float64   `json:"took_s"` // duration of the run
	User   int       `json:"uid"`
	OK     bool      `json:"ok"` // the verdict is VerdictOK

	Verdict   string        `json:"verdict"`             // one of the verdicts
	Challenge string        `json:"challenge,omitempty"` // of -challenge: a text that a reviewer chose, so that the bundle is younger than it
	Subject   any           `json:"device,omitempty"`    // the device on whose files it ran; absent where they could not be read
	Faults    []string      `json:"faults"`
	Walls     []cage.Report `json:"walls"`             // the first is the role free, the control, whose attempts must succeed
	Running   *Running      `json:"running,omitempty"` // the processes of the kerb that counts here; absent where the bundle names no device
	Canary    CanaryResult  `json:"canary"`
	Wire      WireResult    `json:"wire"`
	Build     BuildFacts    `json:"build"`
	Limits    []string      `json:"limits"`
}

// BuildFacts identify the binary and how to build it again, so that a reader can
// compare the hash.
type BuildFacts struct {
	Version  string            `json:"version"`
	Go       string            `json:"go"`
	Binary   string            `json:"binary_sha256"`
	Settings map[string]string `json:"settings"`
	Modules  map[string]string `json:"modules"` // path@version → hash
	Recipe   string            `json:"recipe"`
}

// recipe is the command that builds a release; see the Makefile.
const recipe = "CGO_ENABLED=0 go build -trimpath -buildvcs=auto -ldflags '-s -w -X main.release=RELEASE' ./agent"

// Limits returns the sentences of Bundle.Limits: two conclusions that the bundle does
// not support.
func Limits() []string {
	return []string{
		"The canary shows leaks by accident. What a changed program would hide is held by the walls and by the build facts.",
		"The clock of this device dates the bundle; its key signs it. Who holds the device can make another.",
	}
}

// JudgeWalls adds a fault for each wall that does not hold, and one where no attempt
// succeeds without walls: then the attempts themselves do not work.
func (p *Bundle) JudgeWalls() {
	succeeded := 0
	for _, w := range p.Walls[0].Walls {
		if !w.Holds {
			succeeded++
		}
	}
	if succeeded == 0 {
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

// ReadBuild returns the facts of this binary, from /proc/self/exe and its build
// information.
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

// Print prints the bundle for people. path is that of the signed file.
func (p Bundle) Print(t terminal.Terminal, path string) {
	for _, r := range p.Walls[1:] {
		fmt.Fprintln(t.Out, r)
	}
	if p.Running != nil {
		fmt.Fprintln(t.Out, p.Running)
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

// The verdicts of a bundle.
const (
	VerdictOK     = "ok"             // everything was looked at, and nothing is wrong
	VerdictFailed = "failed"         // there are Faults
	VerdictUnseen = "could not look" // nothing is wrong, but the kernel refused to show a place, or kerb does not run
)

// Judge sets the verdict, after all results are in.
func (p *Bundle) Judge() {
	p.Verdict = VerdictOK
	if p.Running != nil {
		p.Faults = append(p.Faults, p.Running.listFaults()...)
		p.Verdict = p.Running.Verdict
	}
	for _, f := range append(p.Canary.Controls, p.Canary.Places...) {
		if f.Refused != "" {
			p.Verdict = VerdictUnseen
		}
	}
	if len(p.Faults) > 0 {
		p.Verdict = VerdictFailed
	}
	p.OK = p.Verdict == VerdictOK
}

// Err returns the error of a bundle that is not ok.
func (p *Bundle) Err() error {
	switch p.Verdict {
	case VerdictFailed:
		return fmt.Errorf("%d of the promises do not hold on this device", len(p.Faults))
	case VerdictUnseen:
		return errors.New("could not look everywhere: what is marked as refused or not looked at is not shown to be clean: run it as root, beside kerb run")
	}
	return nil
}
