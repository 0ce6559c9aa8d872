package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"kerb/agent/terminal"
)

// versionCmd is kerb version.
type versionCmd struct {
	JSON bool `help:"As one JSON object."`
}

// Run prints version, platform and Go version.
func (v *versionCmd) Run(t terminal.Terminal) error {
	if v.JSON {
		return json.NewEncoder(t.Out).Encode(map[string]string{
			"version": versionName(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
		})
	}
	_, err := fmt.Fprintf(t.Out, "kerb %s %s/%s %s\n", versionName(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return err
}

// release is the name of a release, set by the linker (-X main.release, Makefile);
// empty in other builds.
var release = ""

// versionName returns the release, or else the first 12 digits of the git revision,
// with +changed for a modified tree, or "unreleased".
func versionName() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changed"
		}
	}
	if revision == "" {
		return "unreleased"
	}
	return revision + dirty
}
