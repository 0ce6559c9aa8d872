package relay

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// ngsi writes NGSI-LD entities of the Smart Data Models, in the concise form: a
// TrafficFlowObserved for each vehicle class and direction of a line or lane, and a
// CrowdFlowObserved for the people of a line or zone. The id names the window, so that a
// window that comes twice is one entity. Counts are not negative there: one that noise
// made negative is 0, with kerbClipped true and the number as released beside it. What is
// not known is left out: of a gap, and of a number that is withheld.
type ngsi struct{}

// ngsiContext tells a broker what the attributes mean.
var ngsiContext = []string{
	"https://raw.githubusercontent.com/smart-data-models/dataModel.Transportation/master/context.jsonld",
	"https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.6.jsonld",
}

// vehicleTypes are the words of TrafficFlowObserved. It has none for all vehicles, and
// none that says heavy: there the attribute is left out.
var vehicleTypes = map[string]string{"bicycle": "bicycle", "motorcycle": "motorcycle", "car": "car"}

func (ngsi) forMQTT() bool                       { return false }
func (ngsi) sites([]*meta, time.Time) []document { return nil }

func (ngsi) windows(batch []queued, _ time.Time) []document {
	entities := []map[string]any{}
	for _, w := range batch {
		entities = append(entities, entitiesOf(w)...)
	}
	if len(entities) == 0 {
		return nil
	}
	body, err := json.Marshal(entities)
	if err != nil {
		panic(err) // strings, numbers and maps of them
	}
	return []document{{name: batchName("entities", batch, "jsonld"), kind: "application/ld+json", body: body}}
}

// entitiesOf returns the entities of one window. Of a gap the classes and directions
// come from meta; without meta there is none.
func entitiesOf(w queued) (all []map[string]any) {
	cells := w.Counts
	s := w.meta.stream(w.Stream)
	if w.isGap() && s != nil {
		cells = nil
		directions := s.Directions
		if len(directions) == 0 {
			directions = []string{""}
		}
		for _, class := range s.Classes {
			for _, dir := range directions {
				cells = append(cells, cell{Class: class, Dir: dir})
			}
		}
	}
	var people []cell
	for _, c := range cells {
		switch {
		case !isVehicle(c.Class):
			people = append(people, c)
		case c.Dir != "" && c.Dir != dirBoth:
			all = append(all, trafficFlow(w, c))
		}
	}
	if len(people) > 0 {
		all = append(all, crowdFlow(w, people))
	}
	return all
}

// entity returns what all entities of a window have. suffix tells apart those of one window.
func entity(w queued, kind, suffix string) map[string]any {
	e := map[string]any{
		"@context": ngsiContext, "type": kind,
		"id":           "urn:ngsi-ld:" + kind + ":" + idOf(w.address(), w.Stream, ":") + suffix + ":" + w.Epoch + ":" + strconv.FormatUint(w.Seq, 10),
		"dateObserved": utc(w.Start) + "/" + utc(w.End), "dateObservedFrom": utc(w.Start), "dateObservedTo": utc(w.End),
		"dataProvider": w.Tenant, "source": w.address().String(), "kerbStream": w.Stream, "kerbQuality": w.Quality,
	}
	if w.Reason != "" {
		e["kerbReason"] = w.Reason
	}
	if w.Observed != nil {
		e["kerbObservedSeconds"] = *w.Observed
	}
	if p := w.meta.place(w.Stream); p != nil {
		if p.Name != "" {
			e["name"] = p.Name
		}
		if p.Lat != nil && p.Lon != nil {
			e["location"] = map[string]any{"type": "Point", "coordinates": []float64{*p.Lon, *p.Lat}}
		}
	}
	return e
}

// trafficFlow returns the entity of one vehicle class and direction.
func trafficFlow(w queued, c cell) map[string]any {
	e := entity(w, "TrafficFlowObserved", ":"+c.Class+":"+c.Dir)
	e["laneDirection"] = map[string]string{dirAToB: "forward", dirBToA: "backward"}[c.Dir]
	if v := vehicleTypes[c.Class]; v != "" {
		e["vehicleType"] = v
	} else {
		e["kerbClass"] = c.Class
	}
	if w.isGap() {
		return e
	}
	addCount(e, w, "intensity", c)
	if w.Occ != nil && w.Occ.Permille != nil {
		e["occupancy"] = min(max(roundTo(*w.Occ.Permille/1000, 4), 0), 1)
	}
	if w.Speed != nil && w.Speed.Mean != nil {
		e["averageVehicleSpeed"] = max(*w.Speed.Mean, 0)
	}
	return e
}

// crowdFlow returns the entity of the people of a window: of a line how many passed in
// each direction, of a zone how many were present.
func crowdFlow(w queued, cells []cell) map[string]any {
	e := entity(w, "CrowdFlowObserved", "")
	if w.isGap() {
		return e
	}
	sum, known, clipped := int64(0), 0, false
	for _, c := range cells {
		switch {
		case c.Mean != nil:
			e["kerbMean"] = *c.Mean
			if c.Peak != nil {
				e["kerbPeak"] = *c.Peak
			}
			addDeviation(e, w, "mean")
		case c.Dir == "" && (c.Min != nil || c.Below != nil):
			addRange(e, c, "")
		case c.Dir == dirAToB || c.Dir == dirBToA:
			name := map[string]string{dirAToB: "peopleCountTowards", dirBToA: "peopleCountAway"}[c.Dir]
			addCount(e, w, name, c)
			if c.N != nil {
				sum, known = sum+*c.N, known+1
			}
		}
	}
	if s := w.meta.stream(w.Stream); known > 0 && (s == nil || known == len(directionsOf(s.Directions))) {
		if clipped = sum < 0; clipped {
			e["kerbClipped"], e["kerbReleased_peopleCount"] = true, sum
		}
		e["peopleCount"] = max(sum, 0)
	}
	return e
}

// directionsOf leaves out the total.
func directionsOf(all []string) (dirs []string) {
	for _, d := range all {
		if d != dirBoth {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// addCount adds a count under a name. A withheld one is left out, and its range is told.
func addCount(e map[string]any, w queued, name string, c cell) {
	if c.N == nil {
		addRange(e, c, "_"+name)
		return
	}
	e[name] = max(*c.N, 0)
	if *c.N < 0 {
		e["kerbClipped"], e["kerbReleased_"+name] = true, *c.N
	}
	addDeviation(e, w, "n")
}

func addDeviation(e map[string]any, w queued, number string) {
	if d := w.meta.deviation(w.Stream, number); d > 0 {
		e["kerbDeviation"] = math.Round(d*1e4) / 1e4
	}
}

func addRange(e map[string]any, c cell, suffix string) {
	if c.Min != nil {
		e["kerbMin"+suffix] = *c.Min
	}
	if c.Below != nil {
		e["kerbBelow"+suffix] = *c.Below
	}
}
