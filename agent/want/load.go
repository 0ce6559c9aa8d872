package want

import (
	"errors"

	"kerb/agent/admission"
	"kerb/agent/config"
)

// LoadFunc reads both files, decides which policy is in force, and checks one file
// against the other.
type LoadFunc func(admission.Files) (*config.Site, admission.Decision, error)

// Loaded is the result of Load.
type Loaded struct {
	Site     *config.Site
	Decision admission.Decision
	Files    admission.Files // that were read: those in force
	Record   Record
	Setback  *Refusal // why the version in force does not count; nil: it does, or there is none
}

// Load reads the files under which the device shall run: those of the version in force
// where they are still good, else own. The error is that of own.
func Load(own admission.Files, load LoadFunc) (l Loaded, err error) {
	l.Files = own
	if base, berr := config.Load(own.Site); berr == nil && own.SiteText == "" {
		if l.Record, err = ReadRecord(base.Device.State); err != nil {
			l.Setback = refuse(Malformed, "%w", err)
		} else if l.Record.Version() > 0 {
			l.Files, err = l.Record.resolve(own, base)
			errors.As(err, &l.Setback)
		}
	}
	l.Site, l.Decision, err = load(l.Files)
	if err != nil && l.Files != own {
		l.Setback, l.Files = refuseMistakes(err), own
		l.Site, l.Decision, err = load(own)
	}
	l.Decision.OnTrial = l.Record.OnTrial > 0 && l.Files != own
	return l, err
}

// Begin writes into the state directory dir that the agent starts under l: a version
// that does not count any more, or within whose trial the agent starts too often, is
// reverted, and own is loaded. It reports whether that happened.
func (l Loaded) Begin(dir string, own admission.Files, load LoadFunc) (_ Loaded, reverted bool, err error) {
	why, line := NoReason, 0
	switch {
	case l.Setback != nil:
		why, line = l.Setback.Reason, l.Setback.Line
	case l.Record.OnTrial == 0:
		return l, false, nil
	case l.Record.Starts < maxStarts:
		l.Record.Starts++
		return l, false, l.Record.write(dir)
	default:
		why = StartsFailed
	}
	if _, err := l.Record.Revert(dir, why, line); err != nil {
		return l, false, err
	}
	l, err = Load(own, load)
	return l, true, err
}

// Examine judges the message b for a device and, where it may come into force, unpacks
// its files into the state directory. own are the files that an engineer wrote.
func Examine(own admission.Files, load LoadFunc) (v Verdict, err error) {
	base, err := config.Load(own.Site)
	if err != nil {
		return v, err
	}
	now, err := Load(own, load)
	if err != nil {
		return v, err
	}
	b, err := readReceived(base.Device.State)
	if err != nil {
		return v, err
	}
	v.Sum = hashText(string(b))
	if v.Sum == now.Record.Examined && now.Record.Last.Outcome != Refused {
		v.Same = true
		return v, nil
	}
	d := device{own: own, base: base, policy: now.Decision.Policy, record: now.Record, load: load}
	m, err := d.examine(b)
	if m != nil {
		v.Version, v.TrialS = m.Version, int(m.Trial().Seconds())
	}
	if why := (*Refusal)(nil); errors.As(err, &why) {
		v.Reason, v.Line, v.Error = why.Reason, why.Line, why.Error()
		v.Same = v.Sum == now.Record.Examined && v.Reason == now.Record.Last.Reason
		return v, nil
	}
	return v, err
}
