// Package status answers what a running agent does, over a Unix socket on the
// device: the values of the answer, the socket's server and client, and the text
// for people.
//
// The supervisor serves the socket. It knows the sensors, the lamp, the clock and
// the disk; its uplink process knows the broker and the spool, and answers the
// supervisor's question with a JSON text that the supervisor passes on unread.
//
// It refuses everything that no policy has cleared: windows are those of the spool,
// and no type here has a field for a picture or for a count of the open window.
// It refuses users other than root, the agent's own and the group kerb, by the mode
// of the socket and of its directory, and every request but an ipc.Query.
package status

import (
	"encoding/json"
	"time"
)

// Schema names the schema of a Status; configs ships it as JSON Schema.
const Schema = "kerb.status/1"

// Status is what kerb status -json prints, schema kerb.status/1.
type Status struct {
	Schema   string    `json:"schema"`
	At       time.Time `json:"at"`       // by the device's clock
	Running  bool      `json:"running"`  // an agent answered; else Device and Broker are what files tell
	Well     bool      `json:"well"`     // there is no problem
	Problems []Problem `json:"problems"` // the most urgent first
	Device
	Uplink
}

// Problem is one thing that is wrong, and what to do about it.
type Problem struct {
	Part string `json:"part"` // "camera north", "loops", "broker", "spool", "clock", "disk", "policy", "audit", "files" or "kerb"
	What string `json:"what"`
	Do   string `json:"do"`
}

// Device is the supervisor's part of a Status.
type Device struct {
	Name    string   `json:"device,omitempty"`
	Site    string   `json:"site,omitempty"`
	Tenant  string   `json:"tenant,omitempty"`
	Version string   `json:"kerb,omitempty"` // of the program
	Up      int64    `json:"up_s,omitempty"` // since the agent began to count, in seconds
	Policy  *Policy  `json:"policy,omitempty"`
	Cameras []Camera `json:"cameras,omitempty"`
	Loops   *Loops   `json:"loops,omitempty"` // nil: the site has none
	Lamp    *Lamp    `json:"lamp,omitempty"`
	Clock   *Clock   `json:"clock,omitempty"`
	Disk    *Disk    `json:"disk,omitempty"`
	Walls   []Walls  `json:"walls,omitempty"` // of each process, as it measured them itself at its start

	AuditCut      string `json:"audit_cut,omitempty"`      // what the audit log lacked at this start; "" where it lacked nothing
	ReloadRefused string `json:"reload_refused,omitempty"` // why the last systemctl reload changed nothing; "" where it did
}

// Walls are the walls of one process, as in the member agent.walls of the state message.
type Walls struct {
	Process  string   `json:"process"` // supervisor, uplink, sense CAMERA, sense loops or decode
	Hold     int      `json:"hold"`
	Open     []string `json:"open"`
	Landlock int      `json:"landlock"`
}

// Policy is the policy in force.
type Policy struct {
	Title   string `json:"title"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
	Refused string `json:"refused,omitempty"` // why the file is not in force; "" where it is
	NoPage  bool   `json:"no_page,omitempty"` // it forbids the status page
}

// The states of a camera and of the loops.
const (
	Counting = "counting"
	Starting = "starting" // its process has not delivered yet
	Lost     = "lost"     // it should deliver and does not
	Closed   = "closed"   // outside the hours of the policy or of the camera
	Aimed    = "aimed"    // kerb aim has it
)

// Camera is the condition of one camera.
type Camera struct {
	Name     string  `json:"name"`
	State    string  `json:"state"`
	For      int64   `json:"for_s"`                     // how long it has been in this state, in seconds
	Why      string  `json:"why,omitempty"`             // the last reason of a loss, in the words of the log
	Rate     float64 `json:"pictures_per_s"`            // over the last seconds
	Every    float64 `json:"every_s,omitempty"`         // of a camera that gives one picture at a time: its interval
	Detector string  `json:"detector,omitempty"`        // neural or motion; "" until it is chosen
	LookRate float64 `json:"looks_per_s,omitempty"`     // pictures that the network looks at
	View     string  `json:"view,omitempty"`            // "well" or a fault of the view, such as camera_moved
	KeysOnly bool    `json:"key_frames_only,omitempty"` // the device is too slow for the camera: lines do not count
}

// Loops is the condition of the loops.
type Loops struct {
	State  string   `json:"state"`
	For    int64    `json:"for_s"`
	Why    string   `json:"why,omitempty"`
	Faults []string `json:"faults,omitempty"` // names of the lines that are not counted
}

// Lamp is the pattern of the status lamp and its meaning.
type Lamp struct {
	Code  string `json:"code"`  // of package lamp, such as "counting"
	Fixed bool   `json:"fixed"` // site.toml names a lamp; else it is what one would show
}

// Clock is the wall clock.
type Clock struct {
	Synced bool   `json:"synced"`
	Source string `json:"source"` // ntp, floor or none
}

// Disk is the file system of the state directory.
type Disk struct {
	State string `json:"state"` // the directory
	Free  uint64 `json:"free_bytes"`
}

// Uplink is the part of a Status that the uplink process knows, or the spool's file.
type Uplink struct {
	Broker  *Broker  `json:"broker,omitempty"`
	Spool   *Spool   `json:"spool,omitempty"`
	Alarms  []Alarm  `json:"alarms,omitempty"`  // of the policy's alerts, in their order
	Windows []Window `json:"windows,omitempty"` // oldest first
	Last    uint64   `json:"last,omitempty"`    // place in the spool of the last of Windows
}

// Alarm is the state of one alert of the policy.
type Alarm struct {
	Stream string    `json:"stream"`
	Class  string    `json:"class"`
	Busy   bool      `json:"busy"`
	Since  time.Time `json:"since,omitzero"` // where Busy: start of the first window of it, if the clock was trusted
}

// Broker is the way to the broker, as uplink.Status tells it.
type Broker struct {
	URL       string    `json:"url"`
	Connected bool      `json:"connected"`
	Proven    bool      `json:"proven"` // connected, and it passes on what the device publishes
	Since     time.Time `json:"since,omitzero"`
	Denied    []string  `json:"denied,omitempty"` // topics that it does not pass on
	ACL       []string  `json:"acl,omitempty"`    // lines that its access control lacks
	Refusal   string    `json:"refusal,omitempty"`
	Retry     time.Time `json:"retry,omitzero"`
	Twin      string    `json:"twin,omitempty"`      // another device publishes as this one: its traits
	NoRetain  bool      `json:"no_retain,omitempty"` // it does not keep retained messages
}

// Spool is the store of cleared windows.
type Spool struct {
	Health  string    `json:"health"` // "ok", "memory" while the file cannot be written, or "unread"
	Why     string    `json:"why,omitempty"`
	Full    bool      `json:"full,omitempty"` // it cannot be written because the disk is full
	Epoch   string    `json:"epoch,omitempty"`
	Waiting uint64    `json:"waiting"`        // windows that are not delivered
	First   time.Time `json:"first,omitzero"` // start of the first of them
	Memory  int       `json:"memory"`         // windows that a power cut would lose
	Evicted uint64    `json:"evicted"`        // windows dropped for want of room
	Used    int64     `json:"used_bytes"`
	Limit   int64     `json:"limit_bytes"`
	Dropped []Range   `json:"dropped,omitempty"`
}

// Range is a range of dropped windows of one stream.
type Range struct {
	Epoch  string `json:"epoch"`
	Stream string `json:"stream"`
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
	Reason string `json:"reason"`
}

// Window is one stored window.
type Window struct {
	Message json.RawMessage `json:"window"`  // its message, schema kerb.count/1
	Pending bool            `json:"pending"` // it is not delivered
}

// Log is the answer to ipc.QueryLog: the last lines, oldest first.
type Log struct {
	Lines []string `json:"lines"`
}
