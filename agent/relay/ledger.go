package relay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"kerb/agent/uplink"
)

// Ledger accounts for every window of every stream and day (UTC). Its parts have the
// numbers of windows: Due = Received − Parts + Gone + Missing + Awaited + Unexplained.
type Ledger struct {
	Schema  string       `json:"schema"`
	At      time.Time    `json:"at"`
	Waiting WaitingTotal `json:"waiting"`
	Rows    []Row        `json:"streams"`
	Clashes []Clash      `json:"clashes,omitempty"` // the last ones, oldest first
	Told    []Told       `json:"events,omitempty"`  // the last of each device and kind: aim, config_refused, streams_drift
}

// Row is one stream on one day.
type Row struct {
	Tenant      string         `json:"tenant"`
	Site        string         `json:"site"`
	Device      string         `json:"device"`
	Stream      string         `json:"stream"`
	Day         string         `json:"day"` // YYYY-MM-DD; "": windows that no neighbour places
	MadeUp      bool           `json:"made_up,omitempty"`
	WindowS     int            `json:"window_s,omitempty"`
	Due         int            `json:"due"`                 // that should be here, parts of one window as one
	Received    int            `json:"received"`            // that are here, gaps included
	Parts       int            `json:"parts,omitempty"`     // of these, further parts of a window
	OK          int            `json:"ok"`                  // of these, observed from start to end
	Partial     map[string]int `json:"partial,omitempty"`   // of these, observed in part, by reason
	Gaps        map[string]int `json:"gaps,omitempty"`      // of these, without numbers, by reason
	Unsynced    int            `json:"unsynced,omitempty"`  // of these, with a clock that was not trusted
	Gone        map[string]int `json:"gone,omitempty"`      // the device has them no longer, by reason
	Missing     int            `json:"missing,omitempty"`   // have a number and are not here: still to be had, and asked for
	Left        int            `json:"left,omitempty"`      // of Missing: came while too much waited for the sink, and stay at the device
	Awaited     int            `json:"awaited,omitempty"`   // after the last one that is here: the device is away, or they are on the way
	Unexplained int            `json:"unexplained"`         // no number and no gap tells of them
	Waiting     int            `json:"waiting,omitempty"`   // of Received, not yet at the sink
	Refused     int            `json:"refused,omitempty"`   // of Received, put aside because the sink refuses them
	Clashes     int            `json:"clashes,omitempty"`   // not in Received: came under a number of another window, with other bytes
	NoAnswer    string         `json:"no_answer,omitempty"` // why Missing cannot be asked for, in the device's words
	ObservedS   int            `json:"observed_s"`
	Sums        []Sum          `json:"sums,omitempty"`
}

// Sum is the sum of one class and direction, or for zones the mean, weighted with the
// time observed.
type Sum struct {
	Class    string   `json:"class"`
	Dir      string   `json:"dir,omitempty"`
	Numbers  int      `json:"numbers"`            // that were added
	Withheld int      `json:"withheld,omitempty"` // of these, without a number: they are in Low and High alone
	Sum      *float64 `json:"sum,omitempty"`
	Mean     *float64 `json:"mean,omitempty"`
	Low      *float64 `json:"low,omitempty"`  // bounds of a 95 % interval around the true number, from clearing of meta
	High     *float64 `json:"high,omitempty"` // absent where there is no bound
}

const ledgerSchema = "kerb.ledger/1"

// grace is how long after its end a window is not awaited yet: it is on the way.
const grace = 2 * time.Minute

// streamDays collects the days of one stream.
type streamDays struct {
	address uplink.Address
	stream  string
	days    map[string]*day
	gone    map[string]map[string]int // by day and reason
	missing map[string]int            // by day
	left    map[string]int            // of missing, by day
	spaces  map[string]*tracking      // by epoch
	refused string
	windowS int
}

// ledger computes the account of all days that the position has. day restricts it to
// one; "": all.
func (p *position) ledger(now time.Time, only string) (*Ledger, error) {
	out := &Ledger{Schema: ledgerSchema, At: now.UTC().Truncate(time.Second), Rows: []Row{}}
	err := p.View(func(tx *bolt.Tx) error {
		all, err := collectStreams(tx)
		if err != nil {
			return err
		}
		w := readWaiting(tx)
		out.Waiting, out.Clashes = WaitingTotal{Windows: w.Windows, Bytes: w.Bytes}, readClashes(tx, only)
		out.Told = readTold(tx)
		for _, key := range sortedKeys(all) {
			s := all[key]
			for _, r := range s.rows(readMeta(tx, s.address), now) {
				if only == "" || r.Day == only {
					out.Rows = append(out.Rows, r)
				}
			}
		}
		return nil
	})
	return out, err
}

// collectStreams reads the days, and assigns missing windows to them.
func collectStreams(tx *bolt.Tx) (map[string]*streamDays, error) {
	all := map[string]*streamDays{}
	get := func(a uplink.Address, stream string) *streamDays {
		key := idOf(a, stream, "/")
		if all[key] == nil {
			all[key] = &streamDays{address: a, stream: stream, days: map[string]*day{}, gone: map[string]map[string]int{}, missing: map[string]int{}, left: map[string]int{}, spaces: map[string]*tracking{}}
		}
		return all[key]
	}
	err := tx.Bucket(daysBucket).ForEach(func(k, v []byte) error {
		date, id, _ := strings.Cut(string(k), " ")
		i := strings.LastIndexByte(id, '/')
		d := &day{}
		a, ok := uplink.ParseAddress(id[:max(i, 0)])
		if err := json.Unmarshal(v, d); err != nil || !ok {
			return fmt.Errorf("position: day %s: %w", k, err)
		}
		s := get(a, id[i+1:])
		s.days[date] = d
		if d.WindowS > 0 {
			s.windowS = d.WindowS
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = tx.Bucket(spacesBucket).ForEach(func(k, v []byte) error {
		sp, ok := parseSpace(k)
		t := &tracking{}
		if err := json.Unmarshal(v, t); err != nil || !ok {
			return fmt.Errorf("position: %s: %w", k, err)
		}
		get(sp.Address, sp.Stream).spaces[sp.Epoch] = t
		return nil
	})
	for _, s := range all {
		for _, epoch := range sortedKeys(s.spaces) {
			s.place(s.spaces[epoch])
		}
	}
	return all, err
}

// maxEpochs bounds a chain of epochs of which no window is here.
const maxEpochs = 100

// start returns the start of the first window of an epoch, Unix seconds: by its first
// window that is here, or by the epoch that followed. 0: not known.
func (s *streamDays) start(epoch string, depth int) int64 {
	t := s.spaces[epoch]
	switch {
	case t == nil || depth == 0:
		return 0
	case len(t.Got) > 0:
		return t.Got[0].First - int64(t.Got[0].From-1)*int64(s.windowS)
	}
	next := s.start(t.Next, depth-1)
	if next == 0 {
		return 0
	}
	return next - int64(t.Last)*int64(s.windowS)
}

// place counts the numbers of a space that are not here on the days on which their
// neighbours place them.
func (s *streamDays) place(t *tracking) {
	for _, hole := range t.Got.missing(max(t.Last, t.Got.last())) {
		if hole.First == 0 && hole.Last == 0 {
			hole.Last = s.start(t.Next, maxEpochs)
		}
		rest := spans{}
		for _, reason := range sortedKeys(t.Gone) {
			for _, g := range t.Gone[reason] {
				from, to := max(g.From, hole.From), min(g.To, hole.To)
				if from <= to {
					rest.add(span{From: from, To: to})
					s.eachDay(hole, from, to, func(date string, n int) {
						if s.gone[date] == nil {
							s.gone[date] = map[string]int{}
						}
						s.gone[date][reason] += n
					})
				}
			}
		}
		for _, m := range rest.missing(hole.To) {
			if from := max(m.From, hole.From); from <= m.To {
				s.refused = t.Refused
				s.eachDay(hole, from, m.To, func(date string, n int) { s.missing[date] += n })
				for _, left := range t.Left {
					if a, b := max(left.From, from), min(left.To, m.To); a <= b {
						s.eachDay(hole, a, b, func(date string, n int) { s.left[date] += n })
					}
				}
			}
		}
	}
}

// placedDays is the longest hole whose numbers are placed on days. Chosen by hand: a device
// that was away for longer than a year.
const placedDays = 400

// eachDay calls f with each day of the numbers from…to of a hole, and how many are on
// it. A hole begins one window after its neighbour, or ends one before; without
// neighbours, and in a hole of more than placedDays, the day is "".
func (s *streamDays) eachDay(hole span, from, to uint64, f func(date string, n int)) {
	w := int64(s.windowS)
	var at int64 // start of window from
	switch {
	case w <= 0 || hole.First == 0 && hole.Last == 0 || hole.To-hole.From >= uint64(placedDays*dayLength/w):
		f("", int(to-from+1))
		return
	case hole.First != 0:
		at = hole.First + int64(from-hole.From+1)*w
	default:
		at = hole.Last - int64(hole.To+1-from)*w
	}
	for left := int64(to - from + 1); left > 0; {
		midnight := at - at%dayLength + dayLength
		n := min((midnight-at+w-1)/w, left)
		f(time.Unix(at, 0).UTC().Format(time.DateOnly), int(n))
		at, left = at+n*w, left-n
	}
}

// rows returns the days of a stream in order: from the first that it has to today, or to
// its last window where its device declares it no longer.
func (s *streamDays) rows(m *meta, now time.Time) (rows []Row) {
	first, last := s.bounds()
	awaited := m.stream(s.stream) != nil
	var dates []string
	if _, ok := s.gone[""]; ok || s.missing[""] > 0 {
		dates = append(dates, "")
	}
	end := last
	if awaited {
		end = max(last, now.Add(-grace).Unix())
	}
	for at := first; first > 0 && at < end; at += dayLength - at%dayLength {
		dates = append(dates, time.Unix(at, 0).UTC().Format(time.DateOnly))
	}
	var clashing []string
	for date, d := range s.days {
		if d.Clashes > 0 {
			clashing = append(clashing, date)
		}
	}
	for _, date := range slices.Concat(sortedKeys(s.missing), sortedKeys(s.gone), clashing) { // before the first window, or after the last
		if !slices.Contains(dates, date) {
			dates = append(dates, date)
		}
	}
	slices.Sort(dates)
	for _, date := range dates {
		r := s.row(date, first, last, end)
		r.MadeUp = m.isMadeUp(s.stream)
		rows = append(rows, r)
	}
	return rows
}

// bounds returns the start of the first and the end of the last window that is here,
// Unix seconds. Days of a clock that was not trusted do not count.
func (s *streamDays) bounds() (first, last int64) {
	for date, d := range s.days {
		midnight, err := time.Parse(time.DateOnly, date)
		if err != nil || len(d.Covered) == 0 || d.Unsynced == d.Windows {
			continue
		}
		from, to := midnight.Unix()+int64(d.Covered[0][0]), midnight.Unix()+int64(d.Covered[len(d.Covered)-1][1])
		if first == 0 || from < first {
			first = from
		}
		last = max(last, to)
	}
	return first, last
}

// row returns the account of one day. A stream is due from first to end.
func (s *streamDays) row(date string, first, last, end int64) Row {
	r := Row{
		Tenant: s.address.Tenant, Site: s.address.Site, Device: s.address.Device, Stream: s.stream, Day: date,
		Gone: s.gone[date], Missing: s.missing[date], Left: s.left[date],
	}
	if r.Missing > 0 {
		r.NoAnswer = s.refused
	}
	d := s.days[date]
	if d == nil {
		d = &day{WindowS: s.windowS}
	}
	r.WindowS, r.Received, r.Parts, r.Unsynced, r.ObservedS = d.WindowS, d.Windows, d.Parts, d.Unsynced, d.Observed
	r.Waiting, r.Refused, r.Clashes = d.Waiting, d.Refused, d.Clashes
	r.OK, r.Gaps, r.Partial, r.Sums = d.Quality["ok"], d.Gaps, d.Partials, listSums(d.Sums)
	gone := 0
	for _, n := range r.Gone {
		gone += n
	}
	if midnight, err := time.Parse(time.DateOnly, date); err == nil && d.WindowS > 0 {
		from, to, known := max(first-midnight.Unix(), 0), min(end-midnight.Unix(), dayLength), last-midnight.Unix()
		before := d.uncovered(int(from), int(min(to, max(known, from))))
		r.Awaited = d.uncovered(int(max(from, known)), int(to)) / d.WindowS
		r.Unexplained = max((before+d.WindowS-1)/d.WindowS-gone-r.Missing, 0)
		// Numbers after the last received window are awaited too.
		if over := gone + r.Missing - before/d.WindowS; over > 0 {
			r.Awaited = max(r.Awaited-over, 0)
		}
	}
	r.Due = r.Received - r.Parts + gone + r.Missing + r.Awaited + r.Unexplained
	return r
}

// uncovered returns how many of the seconds from…to no window tells of.
func (d *day) uncovered(from, to int) int {
	n := max(to-from, 0)
	for _, c := range d.Covered {
		n -= max(min(c[1], to)-max(c[0], from), 0)
	}
	return n
}

// listSums returns the sums in the order of class and direction.
func listSums(all map[string]*sums) (out []Sum) {
	for _, key := range sortedKeys(all) {
		s := all[key]
		class, dir, _ := strings.Cut(key, " ")
		o := Sum{Class: class, Dir: dir, Numbers: s.Numbers, Withheld: s.Withheld}
		switch {
		case dir != "":
			o.Sum = &s.Sum
		case s.Weight > 0 && s.Withheld == 0:
			mean := roundTo(s.Sum/s.Weight, 3)
			o.Mean = &mean
		}
		if low, high, ok := s.interval(); ok && (dir != "" || s.Weight > 0) {
			low = roundTo(low, 3)
			o.Low = &low
			if !s.Open {
				high = roundTo(high, 3)
				o.High = &high
			}
		}
		out = append(out, o)
	}
	return out
}
