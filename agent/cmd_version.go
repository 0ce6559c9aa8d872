package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"kerb/agent/terminal"
)

type versionCmd struct {
	JSON bool `help:"As one JSON object."`
}

func (v *versionCmd) Run(t terminal.Terminal) error {
	if v.JSON {
		return json.NewEncoder(t.Out).Encode(map[string]string{
			"version": versionName(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
		})
	}
	_, err := fmt.Fprintf(t.Out, "kerb %s %s/%s %s\n", versionName(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return err
}

// release is set by the linker for a release; see the Makefile.
var release = ""

// versionName is the release, or the revision that this was built from.
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
