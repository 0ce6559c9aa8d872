package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"kerb/agent/uplink"
)

// sensorThings writes OGC SensorThings 1.1: a Thing for each device with its Datastreams
// (deep insert, with ids of the client), and the numbers of each window by the data array
// extension (POST CreateObservations). Over MQTT each Observation goes to
// v1.1/Datastreams(id)/Observations. No server could be had to try it: it is made after
// OGC 18-088, §10.2, §12 and §14.
type sensorThings struct{}

func (sensorThings) forMQTT() bool { return true }

// datastream is one number of a stream: an observed property of SensorThings.
type datastream struct {
	id    string
	unit  string
	value any // nil: none
}

// datastreamsOf returns the numbers of a window. A gap and a withheld number have none.
func datastreamsOf(w queued) (all []datastream) {
	base := idOf(w.address(), w.Stream, ":")
	for _, c := range w.Counts {
		id := base + ":" + c.Class
		if c.Dir != "" {
			id += ":" + c.Dir
		}
		switch {
		case c.N != nil:
			all = append(all, datastream{id: id + ":n", value: *c.N})
		case c.Mean != nil:
			all = append(all, datastream{id: id + ":mean", value: *c.Mean})
			if c.Peak != nil {
				all = append(all, datastream{id: id + ":peak", value: *c.Peak})
			}
		}
	}
	if w.Occ != nil && w.Occ.Permille != nil {
		all = append(all, datastream{id: base + ":occ", value: *w.Occ.Permille})
	}
	if w.Speed != nil && w.Speed.Mean != nil {
		all = append(all, datastream{id: base + ":speed", value: *w.Speed.Mean})
	}
	return all
}

// observation is one row of a data array, or one Observation.
func observation(w queued, v any) (phenomenonTime, resultTime string, result any, parameters map[string]any) {
	p := map[string]any{"quality": w.Quality, "epoch": w.Epoch, "seq": w.Seq}
	if w.Observed != nil {
		p["observed_s"] = *w.Observed
	}
	if w.Reason != "" {
		p["reason"] = w.Reason
	}
	return utc(w.Start) + "/" + utc(w.End), utc(w.End), v, p
}

func (sensorThings) windows(batch []queued, _ time.Time) (docs []document) {
	type group struct {
		Datastream map[string]string `json:"Datastream"`
		Components []string          `json:"components"`
		Count      int               `json:"dataArray@iot.count"`
		Rows       [][]any           `json:"dataArray"`
	}
	groups, at := []*group{}, map[string]*group{}
	var messages []document
	for _, w := range batch {
		for _, d := range datastreamsOf(w) {
			when, known, v, p := observation(w, d.value)
			g := at[d.id]
			if g == nil {
				g = &group{Datastream: map[string]string{"@iot.id": d.id}, Components: []string{"phenomenonTime", "resultTime", "result", "parameters"}}
				at[d.id], groups = g, append(groups, g)
			}
			g.Rows, g.Count = append(g.Rows, []any{when, known, v, p}), g.Count+1
			messages = append(messages, document{topic: "v1.1/Datastreams('" + d.id + "')/Observations", body: mustJSON(map[string]any{
				"phenomenonTime": when, "resultTime": known, "result": v, "parameters": p,
			})})
		}
	}
	if len(groups) == 0 {
		return nil
	}
	docs = append(docs, document{name: batchName("observations", batch, "json"), kind: "application/json", path: "CreateObservations", body: mustJSON(groups)})
	return append(docs, messages...)
}

// units of SensorThings: name, symbol and definition.
var units = map[string]map[string]string{
	"n":     {"name": "crossings", "symbol": "", "definition": "http://qudt.org/vocab/unit/NUM"},
	"mean":  {"name": "objects present", "symbol": "", "definition": "http://qudt.org/vocab/unit/NUM"},
	"peak":  {"name": "objects present", "symbol": "", "definition": "http://qudt.org/vocab/unit/NUM"},
	"occ":   {"name": "per mille", "symbol": "‰", "definition": "http://qudt.org/vocab/unit/PERMILLE"},
	"speed": {"name": "kilometre per hour", "symbol": "km/h", "definition": "http://qudt.org/vocab/unit/KiloM-PER-HR"},
}

func (sensorThings) sites(metas []*meta, _ time.Time) (docs []document) {
	for _, m := range metas {
		streams := []any{}
		for _, s := range m.Streams {
			for _, d := range declaredDatastreams(m.address(), s) {
				streams = append(streams, map[string]any{
					"@iot.id": d.id, "name": d.id, "description": s.Kind + " " + s.ID, "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
					"unitOfMeasurement": units[d.unit],
					"ObservedProperty":  map[string]any{"@iot.id": "kerb:" + d.unit, "name": d.unit, "definition": "urn:kerb:" + d.unit, "description": units[d.unit]["name"]},
					"Sensor":            map[string]any{"@iot.id": m.address().String() + ":" + s.Sensor, "name": s.Sensor, "description": "kerb " + m.Version, "encodingType": "text/html", "metadata": "kerb"},
				})
			}
		}
		thing := map[string]any{"@iot.id": m.address().String(), "name": m.Device, "description": "kerb", "properties": map[string]any{"tenant": m.Tenant, "site": m.Site, "policy": m.Policy}, "Datastreams": streams}
		if p := m.Place; p != nil && p.Lat != nil && p.Lon != nil {
			thing["Locations"] = []any{map[string]any{
				"@iot.id": m.address().String(), "name": p.Name, "description": p.Name, "encodingType": "application/geo+json",
				"location": map[string]any{"type": "Point", "coordinates": []float64{*p.Lon, *p.Lat}},
			}}
		}
		docs = append(docs, document{name: fmt.Sprintf("thing-%s-%s-%s.json", m.Tenant, m.Site, m.Device), kind: "application/json", path: "Things", body: mustJSON(thing)})
	}
	return docs
}

// declaredDatastreams returns the numbers that a stream has by its declaration.
func declaredDatastreams(a uplink.Address, s uplink.Stream) (all []datastream) {
	base := idOf(a, s.ID, ":")
	for _, class := range s.Classes {
		if s.Kind == "zone" {
			all = append(all, datastream{id: base + ":" + class + ":mean", unit: "mean"}, datastream{id: base + ":" + class + ":peak", unit: "peak"})
			continue
		}
		for _, dir := range s.Directions {
			all = append(all, datastream{id: base + ":" + class + ":" + dir + ":n", unit: "n"})
		}
	}
	for _, q := range s.Quantities {
		switch q.Key {
		case "occ.permille":
			all = append(all, datastream{id: base + ":occ", unit: "occ"})
		case "speed.mean":
			all = append(all, datastream{id: base + ":speed", unit: "speed"})
		}
	}
	return all
}

// thingsBoard writes telemetry of the gateway API of ThingsBoard: the numbers of each
// window of a device, at the end of the window. It is for -out mqtt[s]:// with the
// gateway's access token as user; a folder gets the same bodies. No server could be had
// to try it.
type thingsBoard struct{}

func (thingsBoard) forMQTT() bool                       { return true }
func (thingsBoard) sites([]*meta, time.Time) []document { return nil }

func (thingsBoard) windows(batch []queued, _ time.Time) []document {
	type sample struct {
		At     int64          `json:"ts"`
		Values map[string]any `json:"values"`
	}
	devices := map[string][]sample{}
	for _, w := range batch {
		v := map[string]any{w.Stream + "_quality": w.Quality}
		if w.Observed != nil {
			v[w.Stream+"_observed_s"] = *w.Observed
		}
		if w.Reason != "" {
			v[w.Stream+"_reason"] = w.Reason
		}
		prefix := len(idOf(w.address(), w.Stream, ":")) + 1
		for _, d := range datastreamsOf(w) {
			v[w.Stream+"_"+string(bytes.ReplaceAll([]byte(d.id[prefix:]), []byte(":"), []byte("_")))] = d.value
		}
		for _, c := range w.Counts {
			if c.Below != nil {
				v[w.Stream+"_"+c.Class+"_"+c.Dir+"_below"] = *c.Below
			}
			if c.Min != nil {
				v[w.Stream+"_"+c.Class+"_"+c.Dir+"_min"] = *c.Min
			}
		}
		name := w.Tenant + "-" + w.Site + "-" + w.Device
		devices[name] = append(devices[name], sample{w.End.UnixMilli(), v})
	}
	if len(devices) == 0 {
		return nil
	}
	return []document{{name: batchName("telemetry", batch, "json"), kind: "application/json", topic: "v1/gateway/telemetry", body: mustJSON(devices)}}
}

// mustJSON encodes maps and slices of strings and numbers, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
