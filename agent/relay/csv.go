package relay

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"time"
)

// plainCSV writes one row for each class and direction of a window, and one without a
// class for a gap. An empty field is not 0.
type plainCSV struct{}

// csvColumns are the columns of plainCSV. deviation is that of the noise of n, or of mean.
var csvColumns = []string{
	"tenant", "site", "device", "stream", "epoch", "seq", "part", "start", "end", "observed_s", "quality", "reason", "synced",
	"class", "dir", "n", "mean", "peak", "min", "below", "deviation", "occ_permille", "speed_n", "speed_kmh",
}

func (plainCSV) forMQTT() bool                       { return false }
func (plainCSV) sites([]*meta, time.Time) []document { return nil }

func (plainCSV) windows(batch []queued, _ time.Time) []document {
	return byDay(batch, "windows", "csv", "text/csv; charset=utf-8", rows(csvColumns), plainRows)
}

// plainRows returns the rows of one window.
func plainRows(w queued) []byte {
	head := []string{
		w.Tenant, w.Site, w.Device, w.Stream, w.Epoch, strconv.FormatUint(w.Seq, 10), optional(w.Part, w.Part > 0),
		utc(w.Start), utc(w.End), optionalInt(w.Observed), w.Quality, w.Reason, strconv.FormatBool(w.Time.Synced),
	}
	if w.isGap() {
		return rows(append(head, make([]string, len(csvColumns)-len(head))...))
	}
	traffic := []string{"", "", ""}
	if w.Occ != nil {
		traffic[0] = optionalFloat(w.Occ.Permille)
	}
	if w.Speed != nil {
		traffic[1], traffic[2] = optionalFloat(w.Speed.N), optionalFloat(w.Speed.Mean)
	}
	var all [][]string
	for _, c := range w.Counts {
		number := "n"
		if c.Mean != nil {
			number = "mean"
		}
		deviation := ""
		if d := w.meta.deviation(w.Stream, number); d > 0 && (c.N != nil || c.Mean != nil) {
			deviation = strconv.FormatFloat(roundTo(d, 4), 'f', -1, 64)
		}
		row := append(append([]string{}, head...), c.Class, c.Dir, optionalInt(c.N), optionalFloat(c.Mean), optionalInt(c.Peak), optionalInt(c.Min), optionalInt(c.Below), deviation)
		all = append(all, append(row, traffic...))
	}
	return rows(all...)
}

// rows returns lines of CSV (RFC 4180, with line feeds).
func rows(lines ...[]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.WriteAll(lines) // a buffer does not fail
	return b.Bytes()
}

func optional(v int, is bool) string {
	if !is {
		return ""
	}
	return strconv.Itoa(v)
}

func optionalInt[T int | int64](v *T) string {
	if v == nil {
		return ""
	}
	return strconv.FormatInt(int64(*v), 10)
}

func optionalFloat(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// frenchCSV writes the French national schema for counts of mobility
// (etalab/schema-comptage-mobilites-measure 1.0.0 and -channel 0.2.3): a channel for each
// line or lane, class and direction. 0 is nobody, and an empty count is not counted: a
// gap, or a number that is withheld. Zones are left out: the schema counts passages.
type frenchCSV struct{}

var (
	measureColumns = []string{"channel_id", "counter_id", "start_datetime", "end_datetime", "count"}
	channelColumns = []string{
		"channel_id", "channel_provider_id", "site_provider_id", "site_id", "mobility_type", "comment",
		"counter_transmission_type", "publication_transmission_type", "counter_type", "direction", "provider_direction_code",
		"provider_direction_name", "data_provider_name", "temporality", "started_at", "ended_at", "last_updated_at", "time_step", "provider_portal_url",
	}
	mobilityTypes = map[string]string{
		"person": "PEDESTRIAN", "bicycle": "BIKE", "vehicle": "CAR,TRUCK,BUS,TWO WHEELS MOTORIZED",
		"motorcycle": "TWO WHEELS MOTORIZED", "car": "CAR", "heavy": "TRUCK,BUS",
	}
	frenchCompass = [8]string{"N", "NE", "E", "SE", "S", "SW", "W", "NW"}
)

func (frenchCSV) forMQTT() bool { return false }

func (frenchCSV) windows(batch []queued, _ time.Time) []document {
	return byDay(batch, "measures", "csv", "text/csv; charset=utf-8", rows(measureColumns), measureRows)
}

// measureRows returns a row for each class and direction. Of a gap these come from meta.
func measureRows(w queued) []byte {
	s := w.meta.stream(w.Stream)
	if s != nil && s.Kind == "zone" {
		return nil
	}
	cells := w.Counts
	if len(cells) == 0 && s != nil {
		for _, class := range s.Classes {
			for _, dir := range s.Directions {
				cells = append(cells, cell{Class: class, Dir: dir})
			}
		}
	}
	var all [][]string
	for _, c := range cells {
		if c.Dir == dirBoth || c.Dir == "" {
			continue
		}
		all = append(all, []string{
			idOf(w.address(), w.Stream, "/") + "/" + c.Class + "/" + c.Dir, w.address().String(), utc(w.Start), utc(w.End), optionalInt(c.N),
		})
	}
	return rows(all...)
}

func (frenchCSV) sites(metas []*meta, _ time.Time) []document {
	all := [][]string{channelColumns}
	for _, m := range metas {
		for _, s := range m.Streams {
			for _, class := range s.Classes {
				for _, dir := range s.Directions {
					if s.Kind != "zone" && dir != dirBoth {
						all = append(all, channelRow(m, s.ID, class, dir))
					}
				}
			}
		}
	}
	return []document{{name: "channels.csv", kind: "text/csv; charset=utf-8", path: "channels", body: rows(all...)}}
}

// channelRow returns the row of one class and direction of a stream.
func channelRow(m *meta, stream, class, dir string) []string {
	s := m.stream(stream)
	v := map[string]string{
		"channel_id": idOf(m.address(), stream, "/") + "/" + class + "/" + dir, "site_id": m.Tenant + "/" + m.Site + "/" + m.Device,
		"channel_provider_id": stream, "mobility_type": mobilityTypes[class], "counter_transmission_type": "REMOTE TRANSMISSION",
		"publication_transmission_type": "API", "counter_type": "VIDEO SENSOR", "provider_direction_code": dir,
		"data_provider_name": m.Policy.Controller, "temporality": "PERMANENT", "time_step": strconv.FormatFloat(m.WindowS, 'f', -1, 64),
	}
	if s.Kind == "loop" {
		v["counter_type"] = "INDUCTIVE LOOP"
	}
	if b, ok := m.bearing(stream, dir); ok {
		v["direction"] = compass(b, frenchCompass)
	}
	if s.Sides != nil {
		from, to := s.Sides.A, s.Sides.B
		if dir == dirBToA {
			from, to = to, from
		}
		v["provider_direction_name"] = strings.TrimSpace("De " + from + " vers " + to)
	}
	row := make([]string, len(channelColumns))
	for i, c := range channelColumns {
		row[i] = v[c]
	}
	return row
}
