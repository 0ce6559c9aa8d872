package want

import (
	"time"

	"kerb/agent/admission"
)

// Verdict is the result of Examine, as the process kerb want prints it in JSON.
type Verdict struct {
	Sum     string `json:"sum"`             // SHA-256 of the message
	Version int64  `json:"version"`         // 0 where none could be read
	TrialS  int    `json:"trial_s"`         // seconds
	Same    bool   `json:"same,omitempty"`  // the message was examined before, and its result stands
	Reason  Reason `json:"reason"`          // NoReason: it may come into force
	Line    int    `json:"line,omitempty"`  // of the file that has the mistake; 0: no line
	Error   string `json:"error,omitempty"` // for the log
}

// BeginTrial makes the version of v the one in force, on trial, and remembers how many
// sensors deliver now. own are the device's own files, dir is the state directory.
func (r Record) BeginTrial(dir string, own admission.Files, v Verdict, delivering int) (Record, error) {
	r.BaseSite, r.BasePolicy = hashFile(own.Site), hashFile(own.Policy)
	r.Seen, r.OnTrial, r.TrialS, r.Starts, r.Delivering = v.Version, v.Version, v.TrialS, 0, delivering
	r.Examined, r.Last = v.Sum, Result{Version: v.Version, Outcome: OnTrial}
	return r, r.write(dir)
}

// TrialTime returns the length of the trial.
func (r Record) TrialTime() time.Duration { return time.Duration(r.TrialS) * time.Second }

// Refuse remembers that a message does not come into force.
func (r Record) Refuse(dir string, v Verdict) (Record, error) {
	r.Examined = v.Sum
	r.Last = Result{Version: v.Version, Outcome: Refused, Reason: v.Reason, Line: v.Line}
	return r, r.write(dir)
}

// Keep ends the trial well: the version stays in force.
func (r Record) Keep(dir string) (Record, error) {
	r.InForce, r.Last = r.OnTrial, Result{Version: r.OnTrial, Outcome: Kept}
	r.OnTrial = 0
	if err := r.write(dir); err != nil {
		return r, err
	}
	return r, RemoveFiles(dir, r.InForce)
}

// Revert ends the trial: the files from before it are in force again. Without a trial, or where
// the device's own files were changed by hand, these count. line is that of the file
// with a mistake, 0 without one.
func (r Record) Revert(dir string, why Reason, line int) (Record, error) {
	r.Last = Result{Version: r.Version(), Outcome: Reverted, Reason: why, Line: line}
	if r.OnTrial == 0 || why == ChangedByHand {
		r.InForce = 0
	}
	r.OnTrial = 0
	if err := r.write(dir); err != nil {
		return r, err
	}
	return r, RemoveFiles(dir, r.InForce)
}
