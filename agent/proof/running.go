package proof

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Running is what /proc tells about the walls of the processes of the kerb that counts
// on this device. The kernel says it, not these processes.
type Running struct {
	Verdict   string           `json:"verdict"`       // one of the verdicts
	Why       string           `json:"why,omitempty"` // of VerdictUnseen
	Processes []RunningProcess `json:"processes"`
	Reported  []ReportedWalls  `json:"reported"` // by the processes themselves, at their start
}

// ReportedWalls are the walls that one process has measured from inside.
type ReportedWalls struct {
	Name string   `json:"process"`
	Hold int      `json:"hold"` // how many hold
	Open []string `json:"open"` // those that should and do not
}

// RunningProcess is one process, with the lines of its /proc/PID/status
// (proc_pid_status(5)).
type RunningProcess struct {
	Name         string `json:"process"` // supervisor, uplink, sense CAMERA, sense loops, decode, or the name of a camera's program
	PID          int    `json:"pid"`
	Seccomp      int    `json:"seccomp"`           // mode: 2 is a filter
	Filters      int    `json:"seccomp_filters"`   // how many; -1 where the kernel does not tell (before Linux 5.9)
	NoNewPrivs   bool   `json:"no_new_privs"`      //
	Capabilities string `json:"cap_eff"`           // that are effective, in hexadecimal
	Missing      string `json:"missing,omitempty"` // the wall that is not there
}

// capSysTime is the right to set the clock, as a bit of the capabilities.
const capSysTime = 1 << 25

// runningTries is how often processes are looked at that are not there or have no walls
// yet, a second apart: one that has just been started raises them after it has read its
// files. Chosen by hand.
const runningTries = 10

// LookAtRunning looks at the walls of the kerb run with that process number and of its
// children. want names those that must be there; an absent one, and what /proc does not
// tell, is VerdictUnseen.
func LookAtRunning(pid int, want []string) *Running {
	for try := 1; ; try++ {
		r := lookOnce("/proc", pid, want)
		if r.Verdict == VerdictOK || try == runningTries {
			return r
		}
		time.Sleep(time.Second)
	}
}

// NotRunning is the result where no kerb could be asked.
func NotRunning(why error) *Running {
	return &Running{Verdict: VerdictUnseen, Why: why.Error(), Processes: []RunningProcess{}, Reported: []ReportedWalls{}}
}

// lookOnce is one try of LookAtRunning, by the files in proc.
func lookOnce(proc string, pid int, want []string) *Running {
	r := &Running{Verdict: VerdictOK, Processes: []RunningProcess{}, Reported: []ReportedWalls{}}
	statuses, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "status")) // the pattern is right
	for _, path := range statuses {
		text, err := os.ReadFile(path)
		args, argsErr := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		number, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		fields := parseStatus(text)
		if err != nil || argsErr != nil || number != pid && fields["PPid"] != strconv.Itoa(pid) {
			continue
		}
		p := describeProcess(fields, args, number == pid)
		if p.PID = number; p.Name == "" {
			continue
		}
		if p.Missing != "" {
			r.Verdict = VerdictFailed
		}
		r.Processes = append(r.Processes, p)
	}
	for _, name := range append([]string{"supervisor"}, want...) {
		if !slices.ContainsFunc(r.Processes, func(p RunningProcess) bool { return p.Name == name }) && r.Verdict == VerdictOK {
			r.Verdict, r.Why = VerdictUnseen, name+" was not seen in "+proc
		}
	}
	return r
}

// parseStatus returns the lines of a /proc/PID/status by their names.
func parseStatus(text []byte) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

// describeProcess returns the supervisor, or one of its children, with the wall that it
// lacks. The name is empty for a process that ends, that has not become its program yet,
// or that is kerb for a moment, such as kerb check of a reload.
func describeProcess(fields map[string]string, args []byte, isSupervisor bool) RunningProcess {
	words := strings.Split(string(args), "\x00")
	p := RunningProcess{Filters: -1, NoNewPrivs: fields["NoNewPrivs"] == "1", Capabilities: fields["CapEff"]}
	p.Seccomp, _ = strconv.Atoi(fields["Seccomp"])
	if n, err := strconv.Atoi(fields["Seccomp_filters"]); err == nil {
		p.Filters = n
	}
	own := 2 // filters of a child: the supervisor's and its own
	switch {
	case isSupervisor:
		p.Name, own = "supervisor", 1
	case strings.HasPrefix(fields["State"], "Z"), len(words) < 3:
	case words[0] == "kerb" && words[1] == "uplink":
		p.Name = "uplink"
	case words[0] == "kerb" && words[1] == "sense" && strings.HasPrefix(words[2], "-"):
		p.Name = "sense loops"
	case words[0] == "kerb" && words[1] == "sense":
		p.Name = "sense " + words[2]
	case bytes.Contains(args, []byte("\x00pipe:0\x00")) && words[0] != "/proc/self/exe" && words[0] != "kerb":
		p.Name = "decode"
	case fields["Name"] != "kerb" && fields["Name"] != "exe":
		p.Name, own = fields["Name"], 1
	}
	caps, err := strconv.ParseUint(p.Capabilities, 16, 64)
	switch {
	case p.Seccomp != 2, p.Filters >= 0 && p.Filters < own:
		p.Missing = "seccomp"
	case !p.NoNewPrivs:
		p.Missing = "no_new_privs"
	case err != nil, own == 2 && caps != 0, caps&capSysTime != 0:
		p.Missing = "capabilities"
	}
	return p
}

// listFaults returns a text for each wall that is missing.
func (r *Running) listFaults() (faults []string) {
	for _, p := range r.Processes {
		if p.Missing != "" {
			faults = append(faults, fmt.Sprintf("running: %s (process %d) lacks %s", p.Name, p.PID, p.Missing))
		}
	}
	for _, w := range r.Reported {
		for _, name := range w.Open {
			faults = append(faults, fmt.Sprintf("running: %s reports that it can %s", w.Name, name))
		}
	}
	return faults
}

// String tells the result in one line.
func (r *Running) String() string {
	if r.Verdict == VerdictUnseen {
		return "running: could not look: " + r.Why
	}
	names := make([]string, len(r.Processes))
	for i, p := range r.Processes {
		names[i] = p.Name
	}
	return fmt.Sprintf("running: %d processes looked at by /proc: %s; %d missing walls", len(names), strings.Join(names, ", "), len(r.listFaults()))
}
