package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"kerb/agent/cage"
)

// InstalledRoles returns the roles of the processes that this device can start: decode
// only where the decoder of H.265, ffmpeg, is installed.
func InstalledRoles() []string {
	roles := []string{"sense", "uplink", "supervisor"}
	if _, err := exec.LookPath("ffmpeg"); err == nil {
		roles = append(roles, "decode")
	}
	return roles
}

// MeasureRoles runs kerb try once for each role and returns the reports on the
// walls, in the order of roles. Each role needs its own process, because walls
// cannot be removed.
func MeasureRoles(roles ...string) (all []cage.Report, err error) {
	state := ""
	if slices.Contains(roles, "uplink") {
		if state, err = os.MkdirTemp("", "kerb-try-"); err != nil {
			return nil, err
		}
		defer os.RemoveAll(state)
	}
	for _, role := range roles {
		var out, words bytes.Buffer
		command := func() *exec.Cmd {
			cmd := exec.Command("/proc/self/exe", "try", role, "--state", state)
			cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &out, &words, new(syscall.SysProcAttr)
			return cmd
		}
		var cmd *exec.Cmd
		if role == "sense" || role == "uplink" || role == "decode" {
			cmd, err = StartIsolated((*exec.Cmd).Start, command)
		} else {
			cmd = command()
			err = cmd.Start()
		}
		if err == nil {
			err = cmd.Wait()
		}
		if err != nil {
			return nil, fmt.Errorf("try %s: %w: %s", role, err, bytes.TrimSpace(words.Bytes()))
		}
		var r cage.Report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("try %s: %w", role, err)
		}
		all = append(all, r)
	}
	return all, nil
}
