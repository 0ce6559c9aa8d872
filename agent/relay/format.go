package relay

import (
	"fmt"
	"math"
	"time"

	"kerb/agent/uplink"
)

// format writes windows for one kind of consumer. It keeps nothing: the same windows give
// the same documents but for the time of writing.
//
// A new format is one file with a type and its row in formats. TestADayInEachFormat in test/relay
// holds all of them to the rules.
type format interface {
	// windows returns the documents of a batch; none where no window is for this consumer.
	windows(batch []queued, now time.Time) []document

	// sites returns the documents of what devices declare: sites, channels, things.
	sites(metas []*meta, now time.Time) []document

	// forMQTT reports whether the documents have topics.
	forMQTT() bool
}

// formats are all formats by their names.
var formats = map[string]func(Opts) format{
	"csv":          func(Opts) format { return plainCSV{} },
	"csv-fr":       func(Opts) format { return frenchCSV{} },
	"datex2":       func(o Opts) format { return datex{country: o.Country} },
	"ngsi-ld":      func(Opts) format { return ngsi{} },
	"sensorthings": func(Opts) format { return sensorThings{} },
	"thingsboard":  func(Opts) format { return thingsBoard{} },
}

// idOf names a stream, unique over all devices of a broker, with the given separator.
func idOf(a uplink.Address, stream, sep string) string {
	return a.Tenant + sep + a.Site + sep + a.Device + sep + stream
}

// batchName returns the name of a file of its own for a batch. The place of its first
// window gives the name: a batch that is written again after a crash begins with the
// same window, and replaces the file.
func batchName(prefix string, batch []queued, ext string) string {
	return fmt.Sprintf("%s-%012d.%s", prefix, batch[0].place, ext)
}

// dayName returns the name of the file of a day, by the start of a window.
func dayName(prefix string, w queued, ext string) string {
	return prefix + "-" + w.Start.UTC().Format(time.DateOnly) + "." + ext
}

// byDay appends each line to the file of its day, in the order of the batch.
func byDay(batch []queued, prefix, ext, kind string, head []byte, line func(queued) []byte) (docs []document) {
	at := map[string]int{}
	for _, w := range batch {
		b := line(w)
		if len(b) == 0 {
			continue
		}
		name := dayName(prefix, w, ext)
		i, ok := at[name]
		if !ok {
			i = len(docs)
			at[name] = i
			docs = append(docs, document{name: name, grows: true, head: head, kind: kind})
		}
		docs[i].body = append(docs[i].body, b...)
	}
	return docs
}

// utc writes a time of a window.
func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// perHour returns n as a number per hour of the time observed.
func perHour(n float64, seconds int) float64 { return n * 3600 / float64(seconds) }

// roundTo rounds v to so many decimals.
func roundTo(v float64, decimals int) float64 {
	f := math.Pow10(decimals)
	return math.Round(v*f) / f
}

// isVehicle reports whether a class is of the road: all but people.
func isVehicle(class string) bool { return class != "person" }

// compass returns the nearest of eight names for a bearing, from north clockwise.
func compass(bearing float64, names [8]string) string {
	return names[int(math.Round(bearing/45))%8]
}
