package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"kerb/agent/config"
	"kerb/agent/policy"
)

// files are the two files that most commands read.
type files struct {
	Site   string `help:"The engineer's file." default:"/etc/kerb/site.toml" placeholder:"F"`
	Policy string `help:"The reviewer's file." default:"/etc/kerb/policy.toml" placeholder:"F"`
}

// load reads both files and checks one against the other. Whatever is wrong
// with either is reported at once.
func (f files) load() (*config.Site, *policy.Policy, error) {
	site, err := config.Load(f.Site)
	if err == nil {
		err = checkModels(site)
	}
	pol, perr := policy.Load(f.Policy)
	if err := errors.Join(err, perr); err != nil {
		return nil, nil, err
	}
	if cs := pol.Check(asked(site)); len(cs) > 0 {
		return nil, nil, conflictError(cs)
	}
	return site, pol, nil
}

// conflictError is what the site asks for and the policy forbids.
type conflictError []policy.Conflict

func (e conflictError) Error() string {
	lines := make([]string, len(e))
	for i, c := range e {
		lines[i] = c.Error()
	}
	return strings.Join(lines, "\n") + "\nhint: the policy decides; ask for less, or ask its controller"
}

// asked is the site in the policy's words.
func asked(s *config.Site) policy.Site {
	out := policy.Site{At: s.At("")}
	for i, c := range s.Cameras {
		key := fmt.Sprintf("camera[%d]", i)
		out.Cameras = append(out.Cameras, policy.Camera{Name: c.Name, At: s.At(key + ".name"), Masks: len(c.Masks)})
		for j, st := range c.Streams() {
			at := fmt.Sprintf("%s.line[%d].id", key, j)
			if j >= len(c.Lines) {
				at = fmt.Sprintf("%s.zone[%d].id", key, j-len(c.Lines))
			}
			out.Streams = append(out.Streams, policy.Stream{Stream: st, At: s.At(at)})
		}
	}
	return out
}

type check struct {
	files
	JSON bool `help:"As one JSON object."`
}

func (c *check) Run(t terminal) error {
	site, pol, err := c.load()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(t.out).Encode(map[string]any{
			"ok": true, "device": site.Device.Name, "streams": len(site.Streams()), "policy": pol.Hash(),
		})
	}
	fmt.Fprintf(t.out, "%s and %s fit.\n", c.Site, c.Policy)
	fmt.Fprintf(t.out, "device  %s/%s/%s\nbroker  %s\npolicy  %s, version %d, %s\nwindow  %s, %s\n",
		site.Device.Tenant, site.Device.Site, site.Device.Name, site.Broker.URL,
		pol.Title(), pol.Version(), pol.Hash(), pol.Window(), pol.Method())
	for _, cam := range site.Cameras {
		if cam.Model != "" {
			fmt.Fprintf(t.out, "camera  %s: %s with %s\n", cam.Name, cam.Detector, cam.Model)
		}
	}
	for _, st := range site.Streams() {
		fmt.Fprintf(t.out, "stream  %-20s %-5s of %s: %v\n", st.ID, st.Kind, st.Sensor, st.Classes)
	}
	_, err = fmt.Fprintln(t.out, "next    kerb run")
	return err
}
