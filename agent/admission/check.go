package admission

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"kerb/agent/config"
	"kerb/agent/mistake"
	"kerb/agent/policy"
)

// ConflictError lists the requests of site.toml that the policy forbids.
type ConflictError []policy.Conflict

// Error returns one line for each conflict, and a hint.
func (e ConflictError) Error() string {
	lines := make([]string, len(e))
	for i, c := range e {
		lines[i] = c.Error()
	}
	return strings.Join(lines, "\n") + "\nhint: the policy decides; ask for less, or ask its controller"
}

// ListMistakes returns err as a list for programs: the mistakes of both files, the
// conflicts between them, and every other error as the want of an entry of its own.
func ListMistakes(err error) mistake.List {
	var joined interface{ Unwrap() []error }
	var list mistake.List
	var conflicts ConflictError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		for _, e := range joined.Unwrap() {
			list = append(list, ListMistakes(e)...)
		}
		return list
	case errors.As(err, &list):
		return list
	case errors.As(err, &conflicts):
		for _, c := range conflicts {
			file, line, _ := strings.Cut(c.Site, ":")
			n, _ := strconv.Atoi(line) // 0 where there is none
			list = append(list, mistake.Mistake{File: file, Line: n, Want: c.What, Hint: "the policy decides (" + c.Policy + "); ask for less, or ask its controller"})
		}
		return list
	}
	return mistake.List{{Want: err.Error()}}
}

// ReasonWord returns why files are refused, as the event want names it: policy_refused,
// forbidden (by the policy alone), or mistakes; "" without an error.
func ReasonWord(err error) string {
	var list mistake.List
	switch {
	case err == nil:
		return ""
	case errors.As(err, &list):
		return "mistakes"
	case errors.As(err, new(Refusal)):
		return "policy_refused"
	case errors.As(err, new(ConflictError)):
		return "forbidden"
	}
	return "mistakes"
}

// SiteRequests returns the cameras and streams of s in the policy's terms, each
// with its place in the file, so that policy.CheckSite can name it. Streams of one
// device under several names have one sensor.
func SiteRequests(s *config.Site) policy.Site {
	requests, sensors := policy.Site{At: s.LocateKey("")}, s.SensorNames()
	if s.Broker.Confirm > 0 {
		requests.WatermarkAt = s.LocateKey("broker.confirm")
	}
	for i, c := range s.Cameras {
		key := fmt.Sprintf("camera[%d]", i)
		hours := c.Hours
		if s.HasMistakeIn(key + ".hours") {
			hours = nil // which is told already
		}
		requests.Cameras = append(requests.Cameras, policy.Camera{Name: c.Name, At: s.LocateKey(key + ".name"), Masks: c.Masks, Hours: hours})
		for j, st := range c.Streams() {
			at := fmt.Sprintf("%s.line[%d].id", key, j)
			if j >= len(c.Lines) {
				at = fmt.Sprintf("%s.zone[%d].id", key, j-len(c.Lines))
			}
			st.Sensor = sensors[st.Sensor]
			requests.Streams = append(requests.Streams, policy.Stream{Stream: st, At: s.LocateKey(at)})
		}
	}
	for i, st := range s.Loops.Streams() {
		st.Sensor = sensors[st.Sensor]
		requests.Streams = append(requests.Streams, policy.Stream{Stream: st, At: s.LocateKey(fmt.Sprintf("loop.lane[%d].id", i))})
	}
	return requests
}
