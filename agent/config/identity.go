package config

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// SensorNames maps the sensor of each stream to the first sensor of the site that is the
// same device: two cameras of one address, device, connector, recording or command, and
// two lanes with a loop in common, are one sensor under two names. What one object costs
// is limited for each sensor, under all its names together.
//
// Two addresses with different paths are one camera where the form of a maker's address,
// or words such as main and sub, tell: see Address.identity. Others are not found;
// SharedHosts lists them. Made-up streets are each a sensor of their own.
func (s *Site) SensorNames() map[string]string {
	names, first := map[string]string{}, map[string]string{}
	for _, c := range s.Cameras {
		id := c.identity()
		if _, known := first[id]; !known || id == "" { // a made-up street is its own first
			first[id] = c.Name
		}
		names[c.Name] = first[id]
	}
	var sets [][]string // contacts of lanes that are one sensor
	var owners []string
	for i, st := range s.Loops.Streams() {
		owner, contacts := st.Sensor, s.Loops.contacts(s.Loops.Lanes[i])
		for j := range sets {
			if slices.ContainsFunc(contacts, func(c string) bool { return slices.Contains(sets[j], c) }) {
				owner = owners[j]
				break
			}
		}
		sets, owners = append(sets, contacts), append(owners, owner)
		names[st.Sensor] = owner
	}
	return names
}

// SensorSums maps the sensor of each stream to a hash of all that site.toml declares of it:
// the whole entry of a camera, and of each other camera that SensorNames finds to be the
// same device; all loops together, because a contact can be moved from one lane to another.
func (s *Site) SensorSums() map[string]string {
	names, entries := s.SensorNames(), map[string]string{}
	for _, c := range s.Cameras {
		entries[names[c.Name]] += fmt.Sprintf("%T %s %q\n", c.Source, marshalEntry(c), c.identity())
	}
	sums := map[string]string{}
	for _, c := range s.Cameras {
		sums[c.Name] = sumEntry(entries[names[c.Name]])
	}
	for _, st := range s.Loops.Streams() {
		sums[st.Sensor] = sumEntry(st.Sensor + marshalEntry(s.Loops))
	}
	return sums
}

// marshalEntry returns an entry of the site as JSON.
func marshalEntry(entry any) string {
	text, err := json.Marshal(entry)
	if err != nil {
		panic(err) // of plain values, which cannot fail to encode
	}
	return string(text)
}

// sumEntry returns the SHA-256 of a text in hexadecimal digits.
func sumEntry(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// contacts returns the contacts of a lane's loops, by chip and GPIO line.
func (l Loops) contacts(lane LoopLane) (all []string) {
	for _, name := range lane.Loops {
		for _, line := range l.Lines {
			if line.Name == name {
				all = append(all, filepath.Base(line.Chip)+" "+line.GPIO)
			}
		}
	}
	return all
}

// identity returns a text that is equal for cameras that are the same device; "" for a
// made-up street.
func (c Camera) identity() string {
	switch src := c.Source.(type) {
	case SceneSource, nil:
		return ""
	case RecordingSource:
		return followLinks(src.Path)
	case DeviceSource:
		return followLinks(src.Path)
	case CSISource:
		return fmt.Sprintf("csi %d", src.Number)
	case CommandSource:
		return "command " + strings.Join(src.Words, "\x00")
	}
	return c.Address().identity()
}

// followLinks follows the links of a path, as far as it exists here.
func followLinks(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}
