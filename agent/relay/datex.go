package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"time"

	"kerb/agent/uplink"
)

// datex writes DATEX II 3.5, RoadTrafficData: a MeasurementSiteTablePublication with one
// site for each line or lane with vehicles, and MeasuredDataPublications. A flow is in
// vehicles an hour and not negative: a count that noise made negative is 0, and says so.
// A number that is withheld is a data error, a gap a fault. People and zones are left
// out: DATEX II 3.5 has no flow of pedestrians.
type datex struct{ country string }

func (datex) forMQTT() bool { return false }

const xmlKind = "application/xml; charset=utf-8"

// The document elements. xsi:type chooses the publication.
const (
	datexOpen = xml.Header + `<d2:payload xmlns:d2="http://datex2.eu/schema/3/d2Payload" xmlns:com="http://datex2.eu/schema/3/common"` +
		` xmlns:loc="http://datex2.eu/schema/3/locationReferencing" xmlns:roa="http://datex2.eu/schema/3/roadTrafficData"` +
		` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="roa:%s" lang="en" modelBaseVersion="3">`
	datexClose  = "</d2:payload>\n"
	siteTableID = "kerb"
)

var (
	datexCompass  = [8]string{"northBound", "northEastBound", "eastBound", "southEastBound", "southBound", "southWestBound", "westBound", "northWestBound"}
	datexVehicles = map[string]string{"bicycle": "bicycle", "vehicle": "anyVehicle", "motorcycle": "motorcycle", "car": "car", "heavy": "heavyVehicle"}
)

// quantity is one index of a site: one measured value.
type quantity struct {
	kind       string // trafficFlow, trafficConcentration or trafficSpeed
	class, dir string // of a flow
}

// quantitiesOf returns what a stream measures, in the order of the indexes: flows, then
// occupancy and speed. The order comes from meta alone, so that site table and data agree.
func quantitiesOf(s *uplink.Stream) (qs []quantity) {
	if s == nil || s.Kind == "zone" {
		return nil
	}
	for _, class := range s.Classes {
		for _, dir := range s.Directions {
			if isVehicle(class) {
				qs = append(qs, quantity{"trafficFlow", class, dir})
			}
		}
	}
	for _, q := range s.Quantities {
		switch q.Key {
		case "occ.permille":
			qs = append(qs, quantity{kind: "trafficConcentration"})
		case "speed.mean":
			qs = append(qs, quantity{kind: "trafficSpeed"})
		}
	}
	return qs
}

// element writes an element with text, escaped.
func element(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(text))
	b.WriteString("</" + name + ">")
}

// multilingual writes a MultilingualString in English.
func multilingual(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + `><com:values><com:value lang="en">`)
	_ = xml.EscapeText(b, []byte(text))
	b.WriteString("</com:value></com:values></" + name + ">")
}

func attribute(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// open begins a publication.
func (d datex) open(publication string, publisher string, now time.Time) *bytes.Buffer {
	b := &bytes.Buffer{}
	fmt.Fprintf(b, datexOpen, publication)
	element(b, "com:publicationTime", utc(now))
	b.WriteString("<com:publicationCreator>")
	element(b, "com:country", d.country)
	element(b, "com:nationalIdentifier", publisher)
	b.WriteString("</com:publicationCreator>")
	return b
}

const datexHeader = "<roa:headerInformation><com:informationStatus>real</com:informationStatus></roa:headerInformation>"

// siteVersion returns the version of a site: it changes with what the table says of it.
func siteVersion(m *meta, s *uplink.Stream) string {
	h := sha256.New()
	fmt.Fprintln(h, m.WindowS, quantitiesOf(s), s.ID)
	if s.Bearing != nil {
		fmt.Fprintln(h, *s.Bearing)
	}
	if p := m.place(s.ID); p != nil && p.Lat != nil && p.Lon != nil {
		fmt.Fprintln(h, p.Name, *p.Lat, *p.Lon)
	}
	return hex.EncodeToString(h.Sum(nil))[:8]
}

func (d datex) sites(metas []*meta, now time.Time) []document {
	var b bytes.Buffer
	publisher := ""
	for _, m := range metas {
		for i := range m.Streams {
			if s := &m.Streams[i]; len(quantitiesOf(s)) > 0 {
				publisher = m.Tenant
				writeSite(&b, m, s)
			}
		}
	}
	if b.Len() == 0 {
		return nil
	}
	out := d.open("MeasurementSiteTablePublication", publisher, now)
	fmt.Fprintf(out, `%s<roa:measurementSiteTable id="%s" version="1">%s</roa:measurementSiteTable>`, datexHeader, siteTableID, b.String())
	out.WriteString(datexClose)
	return []document{{name: "sites.xml", kind: xmlKind, path: "sites", body: out.Bytes()}}
}

// writeSite writes the row of a stream.
func writeSite(b *bytes.Buffer, m *meta, s *uplink.Stream) {
	fmt.Fprintf(b, `<roa:measurementSite id="%s" version="%s">`, attribute(idOf(m.address(), s.ID, "/")), siteVersion(m, s))
	equipment := "camera"
	if s.Kind == "loop" {
		equipment = "loop"
	}
	multilingual(b, "roa:measurementEquipmentTypeUsed", equipment)
	place := m.place(s.ID)
	if place != nil && place.Name != "" {
		multilingual(b, "roa:measurementSiteName", place.Name)
	}
	for i, q := range quantitiesOf(s) {
		fmt.Fprintf(b, `<roa:measurementSpecificCharacteristics index="%d"><roa:measurementSpecificCharacteristics>`, i+1)
		if side := datexSide(m, s.ID, q.dir); side != "" {
			element(b, "roa:measurementSide", side)
		}
		element(b, "roa:period", strconv.FormatFloat(m.WindowS, 'f', -1, 64))
		element(b, "roa:specificMeasurementValueType", q.kind)
		if v := datexVehicles[q.class]; v != "" {
			b.WriteString("<roa:specificVehicleCharacteristics>")
			element(b, "com:vehicleType", v)
			b.WriteString("</roa:specificVehicleCharacteristics>")
		}
		b.WriteString("</roa:measurementSpecificCharacteristics></roa:measurementSpecificCharacteristics>")
	}
	b.WriteString(`<roa:measurementSiteLocation xsi:type="loc:PointLocation">`)
	if place != nil && place.Lat != nil && place.Lon != nil {
		b.WriteString("<loc:pointByCoordinates>")
		if s.Bearing != nil {
			element(b, "loc:bearing", strconv.Itoa(int(math.Round(*s.Bearing))%360))
		}
		b.WriteString("<loc:pointCoordinates>")
		element(b, "loc:latitude", strconv.FormatFloat(*place.Lat, 'f', -1, 64))
		element(b, "loc:longitude", strconv.FormatFloat(*place.Lon, 'f', -1, 64))
		b.WriteString("</loc:pointCoordinates></loc:pointByCoordinates>")
	}
	b.WriteString("</roa:measurementSiteLocation></roa:measurementSite>")
}

// datexSide returns the direction of a flow: by the compass where meta has a bearing.
func datexSide(m *meta, stream, dir string) string {
	if b, ok := m.bearing(stream, dir); ok {
		return compass(b, datexCompass)
	}
	return map[string]string{dirAToB: "aligned", dirBToA: "opposite", dirBoth: "bothWays"}[dir]
}

func (d datex) windows(batch []queued, now time.Time) []document {
	var b bytes.Buffer
	publisher := ""
	for _, w := range batch {
		if s := w.meta.stream(w.Stream); len(quantitiesOf(s)) > 0 {
			publisher = w.Tenant
			writeMeasurements(&b, w, s)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	out := d.open("MeasuredDataPublication", publisher, now)
	fmt.Fprintf(out, `<roa:measurementSiteTableReference id="%s" version="1" targetClass="roa:MeasurementSiteTable"/>%s`, siteTableID, datexHeader)
	out.Write(b.Bytes())
	out.WriteString(datexClose)
	return []document{{name: batchName("measured", batch, "xml"), kind: xmlKind, body: out.Bytes()}}
}

// writeMeasurements writes the numbers of one window.
func writeMeasurements(b *bytes.Buffer, w queued, s *uplink.Stream) {
	fmt.Fprintf(b, `<roa:siteMeasurements><roa:measurementSiteReference id="%s" version="%s" targetClass="roa:MeasurementSite"/>`,
		attribute(idOf(w.address(), w.Stream, "/")), siteVersion(w.meta, s))
	for i, q := range quantitiesOf(s) {
		fmt.Fprintf(b, `<roa:physicalQuantity index="%d"><roa:physicalQuantity xsi:type="roa:SinglePhysicalQuantity">`, i+1)
		if w.isGap() || w.seconds() == 0 {
			writeFault(b, w)
		} else {
			writeQuantity(b, w, q)
		}
		b.WriteString("</roa:physicalQuantity></roa:physicalQuantity>")
	}
	b.WriteString("<roa:measurementTimeDefault><roa:period>")
	element(b, "com:startOfPeriod", utc(w.Start))
	element(b, "com:endOfPeriod", utc(w.End))
	b.WriteString("</roa:period></roa:measurementTimeDefault></roa:siteMeasurements>")
}

// writeFault writes that there are no data, and why.
func writeFault(b *bytes.Buffer, w queued) {
	b.WriteString("<roa:physicalQuantityFault>")
	multilingual(b, "com:faultDescription", w.Reason)
	element(b, "com:faultLastUpdateTime", utc(w.End))
	element(b, "roa:physicalQuantityFaultType", "noDataValuesAvailable")
	b.WriteString("</roa:physicalQuantityFault>")
}

// writeQuantity writes one number of a window, as a data error where it is withheld.
func writeQuantity(b *bytes.Buffer, w queued, q quantity) {
	switch q.kind {
	case "trafficConcentration":
		v := (*float64)(nil)
		if w.Occ != nil {
			v = w.Occ.Permille
		}
		writeData(b, "TrafficConcentration", "roa:occupancy", "com:percentage", v, 0.1, 100, "")
	case "trafficSpeed":
		v := (*float64)(nil)
		if w.Speed != nil {
			v = w.Speed.Mean
		}
		writeData(b, "TrafficSpeed", "roa:averageVehicleSpeed", "com:speed", v, 1, math.Inf(1), "")
	default:
		writeFlow(b, w, q)
	}
}

// writeFlow writes a flow in whole vehicles an hour.
func writeFlow(b *bytes.Buffer, w queued, q quantity) {
	var v *float64
	for _, c := range w.Counts {
		if c.Class == q.class && c.Dir == q.dir && c.N != nil {
			n := math.Round(perHour(float64(*c.N), w.seconds()))
			v = &n
		}
	}
	deviation := ""
	if d := w.meta.deviation(w.Stream, "n"); d > 0 {
		deviation = fmt.Sprintf(` standardDeviation="%.1f"`, perHour(d, w.seconds()))
	}
	writeData(b, "TrafficFlow", "roa:vehicleFlow", "com:vehicleFlowRate", v, 1, math.Inf(1), deviation)
}

// writeData writes a value, clipped to 0…most, or a data error where v is nil. The
// schema wants a value with an error, too: it is 0.
func writeData(b *bytes.Buffer, kind, name, unit string, v *float64, scale, most float64, attributes string) {
	fmt.Fprintf(b, `<roa:basicData xsi:type="roa:%s"><%s%s>`, kind, name, attributes)
	value := 0.0
	switch {
	case v == nil:
		element(b, "com:dataError", "true")
		multilingual(b, "com:reasonForDataError", "withheld: too small a number")
	case *v < 0:
		element(b, "com:dataError", "false")
		multilingual(b, "com:reasonForDataError", "negative by the noise of the policy: clipped to 0")
	default:
		value = min(roundTo(*v*scale, 1), most)
	}
	element(b, unit, strconv.FormatFloat(value, 'f', -1, 64))
	fmt.Fprintf(b, "</%s></roa:basicData>", name)
}
