package want

import "fmt"

// Reason says in one word of the wire why a message is not in force. Each has its
// number in records between processes: append only.
type Reason uint8

// The reasons.
const (
	NoReason      Reason = iota
	Malformed            // it is no message of the schema
	OtherDevice          // it is for another device
	OldVersion           // this version, or a later one, was seen before
	NotAllowed           // the policy in force does not allow the command want
	OpenTrust            // the device trusts no key (trust mode open)
	NotSigned            // too few signatures, or one that does not fit
	PolicyRefused        // the device may not run under the policy: older, looser and signed once
	FixedKey             // site.toml changes a key that only a hand at the device may change
	Mistakes             // a file has mistakes
	Forbidden            // the policy forbids what site.toml asks for
	NoDelivery           // on trial: the broker did not get windows, or not proven
	SensorsLost          // on trial: fewer sensors delivered than before
	StartsFailed         // on trial: the agent ended again and again
	ChangedByHand        // the device's own files were changed afterwards: they count
	reasons
)

// Words returns the reasons as messages name them, in the order of their numbers; the
// first is empty.
func Words() []string {
	return []string{
		"", "malformed", "other_device", "old_version", "not_allowed", "open_trust", "not_signed", "policy_refused",
		"fixed_key", "mistakes", "forbidden", "no_delivery", "sensors_lost", "starts_failed", "changed_by_hand",
	}
}

// String returns the word.
func (r Reason) String() string { return Words()[min(r, reasons-1)] }

// Refusal is the error of a message that does not come into force.
type Refusal struct {
	Reason Reason
	Line   int // of the file that has the mistake; 0: no line
	err    error
}

// Error returns one line: word and explanation.
func (r *Refusal) Error() string { return r.Reason.String() + ": " + r.err.Error() }

// Unwrap returns the explanation.
func (r *Refusal) Unwrap() error { return r.err }

// refuse makes a Refusal.
func refuse(why Reason, form string, args ...any) *Refusal {
	return &Refusal{Reason: why, err: fmt.Errorf(form, args...)}
}
