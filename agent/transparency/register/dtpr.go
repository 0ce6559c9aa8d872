package register

import (
	"io"
	"slices"

	"kerb/agent/transparency"
)

// dtpr is the datachain of Digital Trust for Places and Routines, v1, for devices: one
// object for each device, of elements by the ids of Helpful-Places/dtpr 156971b (CC BY
// 4.0). de_identified_video is not used, because it means video that is kept or used, nor
// k_anonymity, because withholding small numbers is not that.
type dtpr struct{}

// Name is dtpr.
func (dtpr) Name() string { return "dtpr" }

// File is dtpr.json.
func (dtpr) File() string { return "dtpr.json" }

type dtprChain struct {
	Version  string        `json:"version"`
	Device   string        `json:"device"`
	Code     string        `json:"code"`
	Place    string        `json:"place,omitempty"`
	Policy   string        `json:"policy"`
	Elements []dtprElement `json:"elements"`
	Warnings []string      `json:"warnings"`
}

type dtprElement struct {
	ID        string            `json:"id"`
	Category  string            `json:"category"`
	Variables map[string]string `json:"variables,omitempty"`
}

// Export writes one chain for each device.
func (dtpr) Export(w io.Writer, groups []transparency.Group) ([]Missing, error) {
	return exportEach(w, eachDevice(groups), func(a *asker, g transparency.Group) dtprChain {
		r := a.rec
		c := dtprChain{Version: "v1", Device: deviceNames(g)[0], Code: r.Device.Code.Value, Place: r.Device.Place.Value.Description, Policy: r.Policy.Hash.Value, Warnings: warningTexts(r)}
		if name := a.answer("accountable", "controller.name"); name != "" {
			c.add("accountable__organization", map[string]string{"name": name, "contact": r.AnswerOr("controller.contact", transparency.NotProvided)})
		}
		for _, from := range []struct{ field, key string }{{"purpose", "dtpr.purpose"}, {"access", "dtpr.access"}, {"storage", "dtpr.storage"}} {
			for _, id := range a.answers(from.field, from.key) {
				c.add(id, nil)
			}
		}
		for _, id := range EnforcedElements(r) {
			c.add(id, nil)
		}
		c.add("retention__data_retained", map[string]string{"duration": span(r.Retention.Records.Value)})
		slices.SortStableFunc(c.Elements, func(a, b dtprElement) int {
			return slices.Index(dtprOrder, a.Category) - slices.Index(dtprOrder, b.Category)
		})
		return c
	})
}

// dtprOrder is the order of the categories of the device datachain.
var dtprOrder = []string{
	"device__accountable", "device__purpose", "device__tech", "device__data", "device__process", "device__access", "device__storage", "device__retention",
}

// add appends an element; its category follows from its id.
func (c *dtprChain) add(id string, variables map[string]string) {
	for i := range id {
		if id[i:i+2] == "__" {
			c.Elements = append(c.Elements, dtprElement{id, "device__" + id[:i], variables})
			return
		}
	}
}

// EnforcedElements are the ids of DTPR v1 that follow from the enforced rules, but for the retention.
func EnforcedElements(r *transparency.Record) (ids []string) {
	if r.HasCamera() {
		for _, s := range r.Capture.Sensors.Value {
			id := "tech__video_camera"
			if s.Feed == "single pictures from a network address" {
				id = "tech__image"
			}
			if s.Kind == "camera" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
			if s.Detector == "motion" && !slices.Contains(ids, "tech__motion_detector") {
				ids = append(ids, "tech__motion_detector")
			}
		}
		if slices.Contains(r.Output.Classes.Value, "person") {
			ids = append(ids, "tech__person_detection")
		}
		ids = append(ids, "process__computer_vision")
	}
	if r.HasLoops() {
		ids = append(ids, "tech__induction_loop")
	}
	ids = append(ids, "data__values_time", "process__aggregated")
	if r.Clearing.Method.Value == "noise" {
		ids = append(ids, "process__differential_privacy")
	}
	if len(r.Policy.Signers.Value) > 0 {
		ids = append(ids, "process__code_signing")
	}
	if r.Output.Encrypted.Value {
		ids = append(ids, "process__transport_layer_security")
	}
	return ids
}

// eachDevice makes a group of each record, for registers of devices.
func eachDevice(groups []transparency.Group) (all []transparency.Group) {
	for _, g := range groups {
		for _, r := range g {
			all = append(all, transparency.Group{r})
		}
	}
	return all
}
