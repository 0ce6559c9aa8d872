package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"kerb/agent/cage"
)

// try builds the walls of one role around itself and says what holds. The role
// called free has none: it shows that the attempts themselves work.
type try struct {
	Role  string `arg:"" enum:"free,sense,uplink,supervisor"`
	State string `help:"The directory that the uplink may write."`
	Port  uint16 `help:"The port that the uplink may dial." default:"8883"`
}

func (y *try) Run(t terminal) (err error) {
	var r cage.Report
	switch y.Role {
	case "free":
		r = cage.Try(cage.Sense())
		r.Role = "free"
	case "sense":
		r, err = cage.Sense().Handover().Memory(senseMemory).Apply()
	case "uplink":
		r, err = cage.Uplink(y.Port).Names().State(y.State).Apply()
	case "supervisor":
		r, err = cage.Supervisor().Apply()
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(t.out).Encode(r)
}

// tryRoles measures every role in a process of its own, since walls cannot be
// taken down.
func tryRoles(roles ...string) (all []cage.Report, err error) {
	state, err := os.MkdirTemp("", "kerb-try-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(state)
	for _, role := range roles {
		var out, words bytes.Buffer
		command := func() *exec.Cmd {
			cmd := exec.Command("/proc/self/exe", "try", role, "--state", state)
			cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &out, &words, new(syscall.SysProcAttr)
			return cmd
		}
		var cmd *exec.Cmd
		if role == "sense" {
			cmd, err = apart((*exec.Cmd).Start, command)
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
