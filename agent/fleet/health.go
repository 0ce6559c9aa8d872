package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kerb/agent/relay"
)

// A Problem is one thing that is wrong with one device.
type Problem struct {
	Device string `json:"device"`
	Word   string `json:"problem"` // see problemWords
	Text   string `json:"text"`
}

// The words of problems, with what to do. The alert rules for platforms use the same.
var problemWords = []struct{ Word, Meaning string }{
	{"offline", "the broker's last state of the device says that it is away; look at power and network"},
	{"silent", "it is online, but its last state is older than it should be; look at the broker"},
	{"twin", "another process publishes as this device: a cloned card; give one of them a name of its own"},
	{"audit_cut", "entries of its audit log are gone, by a head that was collected before: an incident"},
	{"walls", "walls around a process do not hold; kerb prove on the device tells which"},
	{"policy_refused", "its policy file is not in force"},
	{"files_refused", "it refused the files that the platform wants"},
	{"files_reverted", "it went back from the files that the platform wants"},
	{"denied", "the broker does not pass on what it publishes: mend the access control"},
	{"spool", "its spool cannot be written: a power cut would lose windows; replace the card"},
	{"lost_windows", "windows were deleted for want of room"},
	{"backlog", "more windows wait than a day has"},
	{"clock", "its clock is not trusted"},
	{"camera", "a camera or the loops deliver nothing"},
	{"view", "what a camera shows has a fault"},
	{"certificate", "its certificate ends soon, or has ended"},
	{"board", "the board is too hot, lacks voltage, or its card is worn out"},
	{"incomplete", "less than 99 % of a stream's windows of two days are here; kerb relay -ledger tells why, and asks for them"},
	{"loop", "a loop, its card or its wire has a fault; send somebody"},
	{"slow", "pictures or edges come with pauses, or key frames alone are decoded; look at the camera's network and the load of the device"},
	{"program", "a process of kerb ended, or gave a reason that is not known; report it as a fault of kerb"},
	{"drift", "two streams that see the same road differ: one of them is wrong; look at both"},
	{"config_refused", "it does not count, since its files have mistakes; correct them"},
	{"aim", "a camera was aimed within the last day; an incident, if no engineer of yours did"},
}

// ledgerWords are the words that need -ledger: no retained message tells of them.
var ledgerWords = []string{"incomplete", "loop", "slow", "program", "drift", "config_refused", "aim"}

// Health is the judgement of a fleet.
type Health struct {
	At       time.Time      `json:"at"`
	Devices  int            `json:"devices"`
	Online   int            `json:"online"`
	Versions map[string]int `json:"versions"`       // of kerb → devices
	Policies map[string]int `json:"policies"`       // hash → devices
	Sites    map[string]int `json:"sites_in_force"` // version of the message whose files are in force → devices; 0: their own
	Problems []Problem      `json:"problems"`
	Counts   map[string]int `json:"counts"`               // problem → devices
	Unjudged []string       `json:"not_judged,omitempty"` // words that need a ledger, where none was given
	heads    map[string]head
}

// The limits of health, chosen by hand.
const (
	maxSilence     = 15 * time.Minute    // a device sends its state every five minutes
	maxBacklog     = 96                  // windows of a quarter of an hour in a day
	minCertificate = 14 * 24 * time.Hour // left of a certificate
	wornOut        = 9                   // tenths of an eMMC's life
)

// judgeFleet judges devices by what they told, at the time now. old are the heads of the
// audit logs that were collected before, by address; ledger is that of a relay, nil: none.
func judgeFleet(devices []*device, old map[string]head, ledger *relay.Ledger, now time.Time) *Health {
	h := &Health{
		At: now, Devices: len(devices), Versions: map[string]int{}, Policies: map[string]int{}, Sites: map[string]int{},
		Counts: map[string]int{}, Problems: []Problem{}, Unjudged: notJudged(ledger), heads: map[string]head{},
	}
	for _, d := range devices {
		if d.Meta != nil {
			h.Versions[d.Meta.Version]++
			h.Policies[d.Meta.Policy.Hash]++
		}
		if d.State != nil {
			if d.State.Online {
				h.Online++
			}
			h.Sites[fmt.Sprint(d.State.Agent.Config.InForce)]++
			h.judgeHead(d, old[d.Address])
		}
		h.judgeDevice(d, now)
		if ledger != nil {
			h.judgeLedger(d, ledger, now)
		}
	}
	slices.SortStableFunc(h.Problems, func(a, b Problem) int { return strings.Compare(a.Device, b.Device) })
	for i, p := range h.Problems {
		if !slices.ContainsFunc(h.Problems[:i], func(q Problem) bool { return q.Device == p.Device && q.Word == p.Word }) {
			h.Counts[p.Word]++
		}
	}
	return h
}

// add adds a problem of a device.
func (h *Health) add(d *device, word, form string, args ...any) {
	h.Problems = append(h.Problems, Problem{Device: d.Address, Word: word, Text: fmt.Sprintf(form, args...)})
}

// judgeHead compares the head of the audit log with the one that was collected before,
// and keeps the newer one.
func (h *Health) judgeHead(d *device, before head) {
	now := d.State.Agent.Audit
	h.heads[d.Address] = before
	switch {
	case now.Seq == 0: // an offline state has none
	case now.Seq < before.Seq:
		h.add(d, "audit_cut", "its audit log ends at entry %d; entry %d was there", now.Seq, before.Seq)
	case now.Seq == before.Seq && now.Sum != before.Sum:
		h.add(d, "audit_cut", "entry %d of its audit log was changed", now.Seq)
	default:
		h.heads[d.Address] = now
	}
}

// judgeDevice adds the problems of one device by its state.
func (h *Health) judgeDevice(d *device, now time.Time) {
	s := d.State
	if s == nil {
		h.add(d, "offline", "no state is retained")
		return
	}
	if !s.Online {
		h.add(d, "offline", "%s", map[string]string{"stopped": "kerb was stopped", "lost": "the connection ended without a word"}[s.Why])
	} else if age := now.Sub(s.At); age > maxSilence {
		h.add(d, "silent", "its last state is %s old", age.Truncate(time.Second))
	}
	if s.Twin != nil {
		h.add(d, "twin", "another process publishes under its topics")
	}
	h.judgeFiles(d)
	h.judgeSending(d)
	h.judgeSensors(d)
	if c := s.Certificate; c != nil && c.Ends.Sub(now) < minCertificate {
		h.add(d, "certificate", "ends %s", c.Ends.UTC().Format(time.RFC3339))
	}
	if b := s.Agent.Board; len(b.Throttled) > 0 || b.LifeTenths >= wornOut || b.DiskErrors > 0 {
		h.add(d, "board", "%s", strings.Join(append(slices.Clone(b.Throttled), fmt.Sprintf("%d tenths of its card's life used, %d errors of the disk", b.LifeTenths, b.DiskErrors)), ", "))
	}
}

// judgeFiles adds the problems of policy, site file and walls.
func (h *Health) judgeFiles(d *device) {
	a := d.State.Agent
	if a.Policy.Refused != "" {
		h.add(d, "policy_refused", "%s", a.Policy.Refused)
	}
	if c := a.Config; c.Outcome == "refused" || c.Outcome == "reverted" {
		h.add(d, "files_"+c.Outcome, "version %d: %s", c.Version, c.Reason)
	}
	for _, process := range sortedKeys(a.Walls) {
		if open := a.Walls[process].Open; len(open) > 0 {
			h.add(d, "walls", "%s: %s", process, strings.Join(open, "; "))
		}
	}
}

// judgeSending adds the problems of spool, broker and clock.
func (h *Health) judgeSending(d *device) {
	s := d.State
	if len(s.Denied) > 0 {
		h.add(d, "denied", "%s", strings.Join(s.Denied, ", "))
	}
	if s.Store != nil && s.Store.Health == "memory" {
		h.add(d, "spool", "%s", s.Store.Why)
	}
	if s.Evicted > 0 {
		h.add(d, "lost_windows", "%d", s.Evicted)
	}
	if s.Backlog.Windows > maxBacklog {
		h.add(d, "backlog", "%d windows wait", s.Backlog.Windows)
	}
	if s.Clock != nil && !s.Clock.Synced {
		h.add(d, "clock", "no time server has set it")
	}
}

// judgeSensors adds the problems of cameras and loops.
func (h *Health) judgeSensors(d *device) {
	for _, name := range sortedKeys(d.State.Agent.Sensors) {
		switch s := d.State.Agent.Sensors[name]; {
		case !s.Watching:
			h.add(d, "camera", "%s delivers nothing", name)
		case s.Fault != "":
			h.add(d, "view", "%s: %s", name, s.Fault)
		}
	}
}

// ProblemWords returns the words of problems. The alert rules of configs/kit use the same.
func ProblemWords() (words []string) {
	for _, w := range problemWords {
		words = append(words, w.Word)
	}
	return words
}
