package transparency

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"kerb/agent/uplink"
)

// SchemaRecord is the value of the key schema of record.json.
const SchemaRecord = "kerb.record/1"

// Origin says who answers for a value.
type Origin string

// The origins.
const (
	Enforced Origin = "enforced" // the program enforces or measures it
	Stated   Origin = "declared" // the controller says so
)

// A Fact is one value of the record with its origin, and its source: a key of a file with
// its line, a package of the program, or a measurement with its time.
type Fact[T any] struct {
	Value  T      `json:"value"`
	Origin Origin `json:"origin"`
	Source string `json:"source"`
}

// A Record is the transparency record of one device, with the keys of record.json. Times
// are UTC; durations are seconds, as _s in the keys says.
type Record struct {
	Schema     string                    `json:"schema"`
	At         time.Time                 `json:"at"` // when it was made
	Device     Device                    `json:"device"`
	Capture    Capture                   `json:"capture"`
	Processing Processing                `json:"processing"`
	Output     Output                    `json:"output"`
	Clearing   Clearing                  `json:"clearing"`
	Retention  Retention                 `json:"retention"`
	Policy     Policy                    `json:"policy"`
	Walls      Fact[[]RoleWalls]         `json:"walls" label:"walls around the processes, as measured"`
	Proof      Fact[Proof]               `json:"proof" label:"result of kerb prove"`
	Build      Build                     `json:"build"`
	Models     Fact[[]Model]             `json:"models" label:"networks that find objects, and their errors"`
	Acceptance Fact[[]uplink.Acceptance] `json:"acceptance" label:"comparison with counts by hand"`
	Audit      Fact[AuditHead]           `json:"audit" label:"head of the audit log"`
	Held       Fact[Held]                `json:"held" label:"numbers held on the device now"`
	Warnings   Fact[[]Warning]           `json:"warnings" label:"warnings"`
	Declared   map[string]Fact[any]      `json:"declared"` // by key of declared.toml
	Signers    Fact[[]string]            `json:"declared_signers" label:"keys that signed the declared answers"`
}

// Device names the device.
type Device struct {
	Tenant Fact[string] `json:"tenant" label:"organisation in the topics"`
	Site   Fact[string] `json:"site" label:"site"`
	Name   Fact[string] `json:"name" label:"device"`
	Code   Fact[string] `json:"code" label:"code on the sign"`
	Place  Fact[Place]  `json:"place" label:"place"`
}

// Place is a position; Lat and Lon are nil where site.toml gives none.
type Place struct {
	Description string   `json:"description,omitempty"`
	Lat         *float64 `json:"lat,omitempty"` // degrees, WGS 84
	Lon         *float64 `json:"lon,omitempty"`
}

// Capture describes the input of the sensors.
type Capture struct {
	Sensors       Fact[[]Sensor] `json:"sensors" label:"sensors"`
	Colour        Fact[bool]     `json:"colour" label:"colour is read"`
	Sound         Fact[bool]     `json:"sound" label:"sound is read"`
	Pixels        Fact[string]   `json:"pixels" label:"largest picture that is looked at"`
	MasksRequired Fact[bool]     `json:"masks_required" label:"a camera without a mask is refused"`
	Hours         Fact[[]string] `json:"hours" label:"hours of counting"`
	TimeZone      Fact[string]   `json:"timezone" label:"time zone of these hours"`
	AimingShows   Fact[string]   `json:"aiming_shows" label:"what the page for aiming shows of a picture"`
	AimingTime    Fact[int]      `json:"aiming_s" label:"longest aiming session, in seconds"`
	StatusPage    Fact[bool]     `json:"status_page" label:"a page for people at the device shows its condition and the messages of 72 hours"`
}

// Sensor is one camera, or one lane with loops.
type Sensor struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`               // camera or loop
	Feed     string `json:"feed,omitempty"`     // kind of the camera's source; never its address
	Masks    int    `json:"masks,omitempty"`    // blackened areas, of site and policy together
	Hours    string `json:"hours,omitempty"`    // when the camera is open; empty: always
	Detector string `json:"detector,omitempty"` // auto, neural or motion
	Network  string `json:"network,omitempty"`  // the one that site.toml names; empty: chosen by speed
	Decoder  string `json:"decoder,omitempty"`  // a program outside kerb's that decodes its pictures; empty: none
}

// Processing is what happens to a picture, an edge and an exact count.
type Processing struct {
	Pictures   Fact[string] `json:"pictures" label:"what happens to a picture"`
	Follow     Fact[int]    `json:"follow_s" label:"longest time that one object is followed, in seconds"`
	Appearance Fact[bool]   `json:"appearance" label:"people or vehicles are described so that they could be known again"`
	Learning   Fact[bool]   `json:"self_learning" label:"the device learns from the street"`
	Exact      Fact[string] `json:"exact_counts" label:"where exact counts are"`
}

// Output is what leaves the device.
type Output struct {
	Streams    Fact[[]Stream] `json:"streams" label:"lines, zones and lanes that are counted"`
	Classes    Fact[[]string] `json:"classes" label:"what is counted"`
	Quantities Fact[[]string] `json:"quantities" label:"what is told besides the counts"`
	Allowed    Fact[[]string] `json:"classes_allowed" label:"what the policy lets be counted"`
	Kinds      Fact[[]string] `json:"kinds_allowed" label:"kinds of streams that the policy allows"`
	Messages   Fact[[]string] `json:"messages" label:"messages that leave"`
	Recipient  Fact[string]   `json:"recipient" label:"host that gets the messages"`
	Encrypted  Fact[bool]     `json:"encrypted" label:"the connection is encrypted (TLS)"`
	Commands   Fact[[]string] `json:"commands" label:"what the platform may ask of the device"`
}

// Stream is one line, zone or lane.
type Stream struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind"` // line, zone or loop
	Sensor     string   `json:"sensor"`
	Classes    []string `json:"classes"`
	Quantities []string `json:"quantities,omitempty"` // besides the counts, by their names in the policy
}

// Clearing describes the method that clears a count before it may be stored or sent.
type Clearing struct {
	Window  Fact[int]      `json:"window_s" label:"time that one number stands for, in seconds"`
	Method  Fact[string]   `json:"method" label:"how numbers are cleared"`
	Epsilon Fact[float64]  `json:"epsilon" label:"privacy loss of one passage (epsilon)"`
	Below   Fact[int]      `json:"below" label:"numbers below this are withheld"`
	Round   Fact[int]      `json:"round" label:"numbers are rounded to multiples of this"`
	Totals  Fact[bool]     `json:"totals" label:"both directions together are given too"`
	Bands   Fact[[]int]    `json:"bands" label:"bounds of the bands"`
	Overlap Fact[int]      `json:"overlap" label:"streams of one sensor that may count the same object"`
	Belief  Fact[float64]  `json:"belief" label:"how sure a reader can be that somebody passed, from one half"`
	Ledger  Fact[[]Charge] `json:"ledger" label:"privacy loss per sensor and class"`
}

// Charge is the privacy loss of one object at one sensor.
type Charge struct {
	Sensor  string   `json:"sensor"`
	Class   string   `json:"class"`
	Streams []string `json:"streams"`
	Epsilon float64  `json:"epsilon"` // 0 without noise
	Limit   float64  `json:"limit"`   // the policy's: of epsilon with noise, else of streams
}

// Retention is how long anything stays.
type Retention struct {
	Records     Fact[int]    `json:"records_s" label:"longest time that a delivered number stays on the device, in seconds"`
	Undelivered Fact[string] `json:"undelivered" label:"how long a number stays that the platform has not confirmed"`
	Pictures    Fact[string] `json:"pictures" label:"how long a picture stays"`
}

// Policy identifies the policy in force.
type Policy struct {
	Title      Fact[string]   `json:"title" label:"title of the policy"`
	Version    Fact[int64]    `json:"version" label:"version of the policy"`
	Hash       Fact[string]   `json:"hash" label:"hash of the policy"`
	Purpose    Fact[string]   `json:"purpose" label:"purpose by the policy"`
	Controller Fact[string]   `json:"controller" label:"controller by the policy"`
	Contact    Fact[string]   `json:"contact" label:"contact by the policy"`
	Trust      Fact[string]   `json:"trust" label:"proof that the device asks for before it takes a policy"`
	Signers    Fact[[]string] `json:"signers" label:"keys that signed the policy"`
	Since      Fact[string]   `json:"since" label:"in force since"`
	Canonical  Fact[string]   `json:"canonical" label:"the policy in its canonical form"`
}

// RoleWalls is the result of trying every forbidden call from inside one kind of process.
type RoleWalls struct {
	Role   string   `json:"role"`
	Hold   int      `json:"hold"`           // attempts that the kernel refused
	May    []string `json:"may,omitempty"`  // what this role may do, with the reason
	Open   []string `json:"open,omitempty"` // what it should not be able to do, and can
	Kernel string   `json:"kernel"`
}

// Proof is the result of kerb prove; the zero value where none was given.
type Proof struct {
	OK       bool     `json:"ok"`
	At       string   `json:"at,omitempty"`
	Pictures uint64   `json:"pictures,omitempty"` // marked pictures that were shown
	Places   int      `json:"places,omitempty"`   // searched without a trace of them
	Faults   []string `json:"faults,omitempty"`
	SHA256   string   `json:"sha256,omitempty"` // of the bundle
}

// Build identifies the program.
type Build struct {
	Version Fact[string] `json:"version" label:"version of the program"`
	Binary  Fact[string] `json:"binary_sha256" label:"hash of the program"`
	Go      Fact[string] `json:"go" label:"compiler"`
	Modules Fact[int]    `json:"modules" label:"libraries in the program"`
}

// AuditHead is the last entry of the audit log; Seq 0: the log is empty.
type AuditHead struct {
	Seq   uint64 `json:"seq"`
	Sum   string `json:"sum,omitempty"`
	Whole bool   `json:"whole"` // every link of the chain was checked
}

// Held describes the content of the spool.
type Held struct {
	Windows int    `json:"windows"`
	Pending int    `json:"pending"` // not delivered yet
	Oldest  string `json:"oldest,omitempty"`
	Unread  string `json:"unread,omitempty"` // why the spool could not be read
}

// Parse reads a record back.
func Parse(data []byte) (*Record, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	r := new(Record)
	if err := dec.Decode(r); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one object: a record is one")
	}
	if r.Schema != SchemaRecord {
		return nil, fmt.Errorf("schema %q: must be %q", r.Schema, SchemaRecord)
	}
	return r, nil
}

// Load reads the record in a file.
func Load(path string) (*Record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: not a record of this kerb: %w", path, err)
	}
	return r, nil
}

// JSON is the record as record.json.
func (r *Record) JSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(r)
	return b.Bytes(), err
}

// Answer is the declared answer to a key as text, and whether there is one. A flag is yes
// or no, a list is joined by semicolons.
func (r *Record) Answer(key string) (string, bool) {
	switch v := r.Declared[key].Value.(type) {
	case string:
		if v == NotProvided {
			return "", false
		}
		return v, true
	case bool:
		if v {
			return "yes", true
		}
		return "no", true
	}
	list := r.Answers(key)
	return strings.Join(list, "; "), len(list) > 0
}

// AnswerOr is the declared answer to a key, or other.
func (r *Record) AnswerOr(key, other string) string {
	if a, ok := r.Answer(key); ok {
		return a
	}
	return other
}

// Answers is the declared list of a key; nil without an answer.
func (r *Record) Answers(key string) (list []string) {
	switch v := r.Declared[key].Value.(type) {
	case []string:
		return v
	case []any: // read back from JSON
		for _, x := range v {
			if s, ok := x.(string); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

// Flag is the declared yes or no of a key, and whether there is one.
func (r *Record) Flag(key string) (yes, ok bool) {
	yes, ok = r.Declared[key].Value.(bool)
	return yes, ok
}

// HasCamera reports whether a camera is among the sensors.
func (r *Record) HasCamera() bool { return r.hasKind("camera") }

// HasLoops reports whether a lane with loops is among the sensors.
func (r *Record) HasLoops() bool { return r.hasKind("loop") }

func (r *Record) hasKind(kind string) bool {
	for _, s := range r.Capture.Sensors.Value {
		if s.Kind == kind {
			return true
		}
	}
	return false
}

// crockford is the alphabet of Douglas Crockford's base 32, in which no two signs look
// alike.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// DeviceCode is the short code of a device on its sign, such as K7Q2-MX4D: the first 40
// bits of the SHA-256 of tenant, site and name.
func DeviceCode(tenant, site, name string) string {
	sum := sha256.Sum256([]byte(tenant + "/" + site + "/" + name))
	code := base32.NewEncoding(crockford).EncodeToString(sum[:5])
	return code[:4] + "-" + code[4:]
}

// PageURL is the address of the controller's page about this device: the answer
// notice.url with the device's code in the place of {code}; "" without an answer.
func (r *Record) PageURL() string {
	return strings.ReplaceAll(r.AnswerOr("notice.url", ""), "{code}", r.Device.Code.Value)
}
