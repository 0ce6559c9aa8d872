// Package state names the files in the state directory (device.state of
// site.toml) and replaces a file so that a power cut leaves the old or the new
// one.
//
// It does not read the contents: the spool is read by store, the audit
// log by audit, the policy that was last in force by admission, the acceptance
// records by publisher. It refuses the network and other programs: it imports
// neither.
package state

import "time"

// SpoolFile is the file name of the spool, a bbolt database.
const SpoolFile = "spool.db"

// SpoolKey is the key with which this device seals the records of the spool, made at
// the first start.
const SpoolKey = SpoolFile + ".key"

// AuditDir is the directory of the audit log.
const AuditDir = "audit"

// RunningPrefix begins the names of the copies of site.toml and policy.toml that kerb
// run read, for its children.
const RunningPrefix = "running-"

// AdmittedFile holds the policy that was last in force. An older or looser one
// is recognised by comparison with it, and the device runs on under it when a
// new one is refused. It is the canonical form, followed by its signatures as
// comments, so that one rename replaces all of it.
const AdmittedFile = "policy-admitted.toml"

// CountedFile says as what the sensors of the site were declared when they last counted: one
// hash a line, see config.Site.SensorSums.
const CountedFile = "counted"

// CertificateFile is the device's certificate with its key, where site.toml has [enrol].
const CertificateFile = "device.pem"

// WantRecord says which files that a platform wanted are in force: see package want.
const WantRecord = "want.json"

// WantReceived holds the last message on …/want, as the broker passed it on. It is not
// examined yet.
const WantReceived = "want-received.json"

// WantPrefix begins the names of the files of WantRecord's versions, and WantReceived.
const WantPrefix = "want-"

// AcceptanceFile holds the results of the tallies by hand as a JSON array: the
// latest record of each line of the site.
const AcceptanceFile = "acceptance.json"

// ProofKey is the minisign key with which kerb prove signs, made at its first run.
const ProofKey = "proof.key"

// AimSocket is the Unix socket on which kerb aim asks a running agent to release
// one camera. That request is the only one it accepts, from the agent's own
// user or from root on this machine.
const AimSocket = "aim.sock"

// StatusSocket is the Unix socket on which kerb status asks a running agent how it
// is. It is in the state directory, or in RunDir where systemd made that.
const StatusSocket = "status.sock"

// RunDir is the directory that systemd makes for kerb.service (RuntimeDirectory=). A
// state directory of a dynamic user lies below /var/lib/private, which only root may
// enter.
const RunDir = "/run/kerb"

// DefaultDir is the state directory where site.toml names none.
const DefaultDir = "/var/lib/kerb"

// GreetingTimeout bounds how long either side of AimSocket waits for the next
// record of the other. Chosen by hand.
const GreetingTimeout = 5 * time.Second
