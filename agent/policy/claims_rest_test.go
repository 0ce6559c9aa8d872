package policy_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aead.dev/minisign"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/agent/week"
	"kerb/counting"
)

// values are the parameters of a claim.
type values map[string]any

// judges hold a claim against what the program does, by its kind.
var judges = map[string]func(*world, map[string]any) bool{}

func judge(kind string, f func(*world, values) bool) {
	judges[kind] = func(w *world, v map[string]any) bool { return f(w, v) }
}

// truth says of a claim without parameters where it is true.
type truth string

const (
	exclusive truth = "only where it is said"
	elsewhere truth = "also where something else is said"
	always    truth = "of every policy"
)

// bare are the kinds of claims without parameters.
var bare = map[string]truth{
	"statistical": exclusive, "lines": exclusive, "loops": exclusive, "always": exclusive, "drawn": exclusive, "exact": elsewhere,
	"bothWithheld": exclusive, "trafficWithheld": exclusive, "followsNobody": elsewhere, "aimNothing": elsewhere, "statusPage": exclusive, "noStatusPage": exclusive, "noCommands": exclusive,
	"overlapOne": exclusive, "eachCosts": exclusive, "classCosts": exclusive, "habit": exclusive, "noBound": exclusive, "bandsProtect": elsewhere,
	"again": always, "listeners": always, "noPicture": always, "restarts": always, "twins": always, "exactCounts": always, "timeOff": always, "brokerChanges": always,
}

// signers are three people's keys.
var signers = func() (keys []minisign.PrivateKey) {
	for i := range 3 {
		_, k, err := minisign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{byte(i + 1), 1, 2, 3}, 100)))
		if err != nil {
			panic(err)
		}
		keys = append(keys, k)
	}
	return keys
}()

// neededKeys is the smallest number of signatures with which a device takes the policy.
func neededKeys(p, last *policy.Policy, mode policy.Mode) int {
	trust, signatures := policy.Trust{Mode: mode}, [][]byte{}
	for _, k := range signers {
		trust.Keys = append(trust.Keys, k.Public().(minisign.PublicKey))
	}
	for n := range signers {
		if trust.Admit(p, last, signatures...) == nil {
			return n
		}
		signatures = append(signatures, minisign.Sign(signers[n], p.Canonical()))
	}
	return -1
}

// requests are n streams of one sensor of a kind that the policy allows.
func (w *world) requests(n int) (site policy.Site) {
	t := w.tally(w.counted(), 0, 0)
	for i := range n {
		s := policy.Stream{Stream: counting.Stream{ID: fmt.Sprint("s", i), Sensor: "one", Kind: t.Kind}}
		for c, yes := range t.Counted {
			if yes {
				s.Classes = append(s.Classes, counting.Class(c))
			}
		}
		site.Streams = append(site.Streams, s)
	}
	return site
}

// allows reports whether n streams of a sensor are no conflict.
func (w *world) allows(n int) bool {
	return !slices.ContainsFunc(w.p.CheckSite(w.requests(n)), func(c policy.Conflict) bool { return strings.Contains(c.What, "streams (") })
}

// believes reports whether a probability is e^ε/(1+e^ε).
func believes(belief, epsilon float64) bool {
	return math.Abs(belief-math.Exp(epsilon)/(1+math.Exp(epsilon))) < 1e-9
}

// attack is how often it is told right whether one more was there, from one number.
func (w *world) attack() float64 {
	k, right := w.counted(), 0.0
	for _, n := range []int{9_000, 9_001} {
		for _, c := range w.draw(k, n, false) {
			if (given(k, c) > 9_000.5) == (n == 9_001) {
				right++
			}
		}
	}
	return right / (2 * drawn)
}

func init() {
	judge("policy", func(w *world, v values) bool {
		sum := sha256.Sum256(w.p.Canonical())
		return w.p.Title() == v["title"] && w.p.Version() == v["version"] && v["hash"] == "sha256:"+hex.EncodeToString(sum[:])
	})
	judge("controller", func(w *world, v values) bool { return w.p.Controller() == v["name"] && w.p.Contact() == v["contact"] })
	judge("demonstration", func(w *world, v values) bool {
		_, err := policy.Parse("policy.toml", bytes.Replace(w.p.Canonical(), []byte("demonstration"), []byte("statistical"), 1))
		return err != nil && strings.Contains(err.Error(), "clear.window") && w.p.Window() == v["window"]
	})
	judge("operational", func(w *world, v values) bool { return neededKeys(w.p, nil, policy.OpenMode) == v["keys"] })
	judge("statistical", func(w *world, _ values) bool { return neededKeys(w.p, nil, policy.OpenMode) == 0 && !w.p.KeepsNow() })
	counts := func(kind string, k counting.Kind) {
		judge(kind, func(w *world, _ values) bool {
			if _, err := w.p.Clear(w.tally(k, 1, 1)); err != nil {
				return false
			}
			c := w.cells(k, 9_000, 0) // each way by itself
			return len(c) > 1 && (c[0].N > 8_000 || c[0].Ranged) && c[0].Dir != c[1].Dir
		})
	}
	counts("lines", counting.LineStream)
	counts("loops", counting.LoopStream)
	judge("zones", func(w *world, v values) bool {
		if _, err := w.p.Clear(w.tally(counting.ZoneStream, 1, 1)); err != nil {
			return false
		}
		c := w.cells(counting.ZoneStream, 9_000, 0)[0]
		return v["peak"] == (c.Peak > 8_000) && (c.Mean > 8_000 || c.Ranged)
	})
	judge("classes", func(w *world, v values) bool {
		for _, c := range counting.AllClasses() {
			t := w.tally(w.counted(), 0, 0)
			t.Counted = [counting.Classes]bool{}
			t.Counted[c] = true
			if _, err := w.p.Clear(t); (err == nil) != slices.Contains(v["classes"].([]counting.Class), c) {
				return false
			}
		}
		return true
	})
	judge("always", func(w *world, _ values) bool {
		for at := monday; at.Before(monday.AddDate(0, 0, 7)); at = at.Add(7 * time.Minute) {
			if !w.p.OpenAt(at) {
				return false
			}
		}
		return true
	})
	judge("hours", func(w *world, v values) bool {
		zone, err := time.LoadLocation(v["zone"].(string))
		if err != nil {
			return false
		}
		for at := monday; at.Before(monday.AddDate(0, 0, 8)); at = at.Add(10 * time.Minute) {
			local := at.In(zone)
			day, minute, open := (int(local.Weekday())+6)%7, local.Hour()*60+local.Minute(), false
			for _, s := range v["open"].(week.Spans) {
				open = open || day >= s.First && day <= s.Last && minute >= s.From && minute < s.To
			}
			if open != w.p.OpenAt(at) {
				return false
			}
			if !open {
				t := w.tally(w.counted(), 9, 9)
				t.Start = at.Truncate(w.p.Window())
				t.End = t.Start.Add(w.p.Window())
				if at.Minute() == 0 && at.Hour()%6 == 0 && len(w.clear(t).Cells()) > 0 {
					return false
				}
			}
		}
		return true
	})
	judge("idle", func(w *world, v values) bool {
		months := map[string]int{"": 2, "UTC+2": 1, "UTC+3": 7} // of what randomPolicy draws, Helsinki alone has two
		month, ok := months[v["clocks"].(string)]
		if !ok {
			return false
		}
		at := time.Date(2024, time.Month(month), 1, 0, 0, 0, 0, time.UTC) // Mondays, but of February
		for at.Weekday() != time.Monday {
			at = at.AddDate(0, 0, 1)
		}
		if w.idle == nil {
			w.idle = map[time.Month]week.Spans{}
		}
		if _, known := w.idle[at.Month()]; !known {
			w.idle[at.Month()] = idleDays(w, at)
		}
		return slices.Equal(w.idle[at.Month()], v["open"].(week.Spans))
	})
	judge("otherMessages", func(w *world, v values) bool {
		for _, topic := range []string{"state", "event", "meta", "ack", "proof"} {
			if _, err := os.Stat("../../configs/" + topic + ".schema.json"); err != nil || !slices.Contains(v["topics"].([]string), topic) {
				return false
			}
		}
		return len(v["topics"].([]string)) == 5 && uplink.DefaultStateInterval == time.Duration(v["minutes"].(int))*time.Minute
	})
	judge("onePasses", func(w *world, v values) bool {
		if !w.p.AllowsKind(counting.LoopStream) {
			return v["hours"] == 0
		}
		limit := time.Duration(v["hours"].(int)) * time.Hour
		return limit > 0 && !toldParked(limit-time.Minute) && toldParked(limit+time.Minute)
	})
	judge("listeners", func(w *world, _ values) bool {
		r := w.clear(w.tally(w.counted(), 9, 9))
		text := uplink.EncodeWindow(uplink.Address{}, store.Entry{Epoch: "e", Seq: 1, Release: r})
		if w.broken {
			for i := range text {
				text[i] ^= 0x55
			}
		}
		return isText(text)
	})
	judge("keepsLast", func(w *world, v values) bool {
		for k := counting.LineStream; k <= counting.LoopStream; k++ {
			if w.p.AllowsKind(k) != slices.Contains(v["kinds"].([]counting.Kind), k) {
				return false
			}
		}
		return w.p.KeepsNow()
	})
	judge("alert", isAlert)
	judge("noPicture", func(w *world, _ values) bool {
		m := message(w.t, w.clear(w.tally(w.counted(), 9, 9)))
		if w.broken {
			m["face"] = "…"
		}
		planted := message(w.t, w.clear(w.tally(w.counted(), 9, 9)))
		planted["picture"] = "…"
		long := message(w.t, w.clear(w.tally(w.counted(), 9, 9)))
		long["stream"] = strings.Repeat("x", 100)
		return holdsOnly(m, false) && !holdsOnly(planted, false) && !holdsOnly(long, false)
	})
	judge("shortest", func(w *world, v values) bool {
		part := w.tally(w.counted(), 9, 9)
		part.End = part.Start.Add(w.p.Window() / 4)
		part.Observed, part.Quality, part.Reason = w.p.Window()/4, counting.Partial, counting.ReasonStopped
		r := w.clear(part)
		return r.EndTime().Sub(r.StartTime()) == v["window"]
	})
	judge("leastWindow", func(w *world, v values) bool {
		least := v["least"].(time.Duration)
		_, err := w.with("clear.window", fmt.Sprintf("%q", least.String()))
		_, shorter := w.with("clear.window", fmt.Sprintf("%q", (least/2).String()))
		return err == nil && shorter != nil
	})
	judge("coversLess", func(w *world, v values) bool {
		k, win := w.counted(), w.p.Window()
		if k == counting.ZoneStream {
			return v["half"] == (w.p.Method() != policy.Noise)
		}
		t := w.tally(k, 9, 9)
		t.Quality, t.Reason = counting.Partial, counting.ReasonStarting
		t.Observed = win * 64 / 100
		r := w.clear(t)
		t.Observed = win * 44 / 100
		return r.Quality() == counting.Partial && r.Observed() == win*6/10/time.Second*time.Second && v["half"] == (w.clear(t).Quality() == counting.Gap)
	})
	judge("restarts", func(w *world, _ values) bool {
		part := w.tally(w.counted(), 9, 9)
		part.Quality, part.Reason, part.Observed = counting.Partial, counting.ReasonStarting, w.p.Window()/10
		return w.clear(part).Quality() != counting.OK && !slices.Contains(strings.Fields(verbsObeyed(w)), "restart")
	})
	judge("masksRequired", func(w *world, v values) bool {
		masked := func(percent float64) bool {
			side := math.Sqrt(percent / 100)
			site := policy.Site{Cameras: []policy.Camera{{Name: "c"}}}
			if percent > 0 {
				site.Cameras[0].Masks = []counting.Polygon{{{X: 0, Y: 0}, {X: side, Y: 0}, {X: side, Y: side}, {X: 0, Y: side}}}
			}
			return !slices.ContainsFunc(w.p.CheckSite(site), func(c policy.Conflict) bool { return strings.HasPrefix(c.What, "camera c has") })
		}
		p := v["percent"].(float64)
		return !masked(0) && !masked(0.8*p) && masked(1.3*p)
	})
	judge("masked", func(w *world, v values) bool {
		for _, name := range []string{"north", "south", "picture"} {
			if (len(w.p.CameraMasks(name)) > 0) != slices.Contains(v["cameras"].([]string), name) {
				return false
			}
		}
		return true
	})
	judge("commands", func(w *world, v values) bool { return w.obeys(v["commands"].([]string)) })
	judge("noCommands", func(w *world, _ values) bool { return w.obeys(nil) })
	judge("want", func(w *world, v values) bool {
		last, err := w.with("keep.retention", `"24h"`)
		stricter, err2 := w.with("version", "99", "keep.retention", `"1h"`)
		looser, err3 := w.with("version", "99", "keep.retention", `"168h"`)
		if err := errors.Join(err, err2, err3); err != nil {
			w.t.Fatal(err)
		}
		return neededKeys(stricter, last, policy.TwoPerson) == v["stricter"] && neededKeys(looser, last, policy.TwoPerson) == v["looser"]
	})
	judge("overlapOne", func(w *world, _ values) bool { return w.allows(1) && !w.allows(2) })
	judge("overlapNoise", func(w *world, v values) bool {
		n := v["streams"].(int)
		return w.allows(n) && !w.allows(n+1) && w.p.Method() == policy.Noise
	})
	judge("overlapBare", func(w *world, v values) bool { n := v["streams"].(int); return w.allows(n) && !w.allows(n+1) })
	judge("twins", func(w *world, _ values) bool { return twins.once(w) })
	judge("exactCounts", func(w *world, _ values) bool {
		network := []string{"../publisher", "../uplink"}
		if w.broken {
			network = append(network, "../supervisor")
		}
		return !slices.ContainsFunc(network, func(dir string) bool { return mentions(w, dir) })
	})
	judge("retention", func(w *world, v values) bool {
		return w.p.Window() == v["window"] && w.p.Retention() == v["for"] && retains(w, v["for"].(time.Duration))
	})
	judge("timeOff", func(w *world, _ values) bool { return timeOff.once(w) })
	judge("longestRetention", func(w *world, v values) bool {
		most := v["most"].(time.Duration)
		_, err := w.with("keep.retention", fmt.Sprintf("%q", most))
		_, longer := w.with("keep.retention", fmt.Sprintf("%q", most+time.Hour))
		return err == nil && longer != nil
	})
	judge("costs", func(w *world, v values) bool {
		e, belief := v["epsilon"].(float64), v["belief"].(float64)
		for k := counting.LineStream; k <= counting.LoopStream; k++ {
			if w.p.AllowsKind(k) != slices.Contains(v["kinds"].([]counting.Kind), k) {
				return false
			}
		}
		return believes(belief, e) && w.isNoise(w.counted(), e, 1) && w.attack() <= belief+6*0.5/math.Sqrt(2*drawn)
	})
	judge("costsAll", func(w *world, v values) bool {
		n, e := v["streams"].(int), v["epsilon"].(float64)
		c := w.p.SensorCharges(w.requests(n).Streams)
		return believes(v["belief"].(float64), e) && len(c) == 1 && math.Abs(c[0].Epsilon-e) < 1e-9 && !c[0].ExceedsLimit() && !w.allows(n+1)
	})
	judge("eachCosts", func(w *world, _ values) bool {
		k := w.counted()
		cells := w.draw(k, 9_000, false)
		return slices.ContainsFunc(cells, func(c policy.Cell) bool { return c != cells[0] })
	})
	judge("exposure", func(w *world, v values) bool {
		for _, n := range []int{1, 2, 4, 10} {
			e := v[fmt.Sprint("epsilon", n)].(float64)
			if math.Abs(e-float64(n)*w.p.Epsilon()) > 1e-9 || !believes(v[fmt.Sprint("belief", n)].(float64), e) {
				return false
			}
		}
		_, ok := w.passage()
		return ok == v["passages"] && w.p.Method() == policy.Noise
	})
	judge("habit", func(w *world, _ values) bool {
		k := w.counted()
		cells := w.draw(k, 9_000, false)
		one, n := deviation(cells, 9_000, func(c policy.Cell) float64 { return given(k, c) })
		sum := 0.0
		for _, c := range cells {
			sum += given(k, c) - 9_000
		}
		return w.p.Method() == policy.Noise && math.Abs(sum)/float64(n) < one/2
	})
	judge("noBound", func(w *world, _ values) bool {
		k := w.counted()
		return !slices.ContainsFunc(w.draw(k, 9_000, false), func(c policy.Cell) bool { return c != w.draw(k, 9_000, false)[0] })
	})
	judge("smallProtects", func(w *world, v values) bool {
		below, step := w.p.DescribeClearing(w.counted()).Below, v["round"].(int)
		at := w.steps(0, below+10*step)
		return len(at) > 0 && at[0] == below && len(w.steps(1000, 1000+10*step)) == 10
	})
	judge("inWindow", func(w *world, v values) bool {
		k, n := w.counted(), v["below"].(int)
		_, ok := w.passage()
		return ok == v["passages"] && w.p.Window() == v["window"] && w.cells(k, n-1, n-1)[0].Ranged && !w.cells(k, n, n)[0].Ranged
	})
	judge("bandsProtect", func(w *world, _ values) bool {
		if w.counted() != counting.ZoneStream || w.p.Method() == policy.Noise {
			return false
		}
		at := w.steps(0, 130)
		for i := 1; i < len(at); i++ {
			if at[i]-at[i-1] < 4 {
				return false
			}
		}
		return len(at) > 0 && at[0] >= 5
	})
	judge("minimised", func(w *world, v values) bool {
		cells := w.draw(w.counted(), 9_000, false)
		return v["noise"] == slices.ContainsFunc(cells, func(c policy.Cell) bool { return c != cells[0] })
	})
	judge("assess", func(w *world, v values) bool {
		return v["camera"] == (w.p.AllowsKind(counting.LineStream) || w.p.AllowsKind(counting.ZoneStream))
	})
}

// obeys reports whether the broker may send these verbs, and no others that are known.
func (w *world) obeys(verbs []string) bool {
	for _, v := range []string{"resend", "watermark", "want", "restart", "picture", "count", "aim"} {
		if w.p.AllowsCommand(v) != slices.Contains(verbs, v) {
			return false
		}
	}
	return true
}

// fact is found out once for all policies.
type fact struct {
	known, holds bool
	find         func(*world) bool
}

func (f *fact) once(w *world) bool {
	if w.broken {
		return f.find(w)
	}
	if !f.known {
		f.known, f.holds = true, f.find(w)
	}
	return f.holds
}

// twins: one address in two spellings is one sensor, as are main and second stream, and two
// hosts are two.
var twins = fact{find: func(w *world) bool {
	names := func(a, b string) map[string]string {
		site := &config.Site{}
		for i, url := range []string{a, b} {
			s, err := config.ParseSource(url)
			if err != nil {
				w.t.Fatal(err)
			}
			site.Cameras = append(site.Cameras, config.Camera{Name: fmt.Sprint("cam", i), Source: s})
		}
		if w.broken {
			return map[string]string{"cam0": "cam0", "cam1": "cam1"}
		}
		return site.SensorNames()
	}
	same, other := names("http://10.0.0.9/s", "http://10.0.0.9:80/s/?fps=5"), names("http://10.0.0.9/s", "http://10.0.0.10/s")
	streams := names("rtsp://10.0.0.9/stream1", "rtsp://10.0.0.9/stream2")
	return same["cam1"] == "cam0" && other["cam1"] != "cam0" && streams["cam1"] == "cam0"
}}

// mentions reports whether the source of a package takes the record that holds exact counts.
func mentions(w *world, dir string) bool {
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil || len(files) == 0 {
		w.t.Fatal(dir, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			w.t.Fatal(err)
		}
		if !strings.HasSuffix(f, "_test.go") && bytes.Contains(b, []byte("ipc.Tally")) {
			return true
		}
	}
	return false
}

// idleDays are the members of the policy's hours, by single days, that no window with
// numbers touches in a week; equal ones of days in a row are joined.
func idleDays(w *world, monday time.Time) (idle week.Spans) {
	touched := map[string]bool{}
	for at := monday.Add(-48 * time.Hour); at.Before(monday.AddDate(0, 0, 9)); at = at.Add(w.p.Window()) {
		t := w.tally(w.counted(), 1, 1)
		t.Start, t.End = at, at.Add(w.p.Window())
		if !w.p.OpenAt(at) || w.clear(t).Quality() != counting.OK {
			continue
		}
		for m := at; m.Before(t.End); m = m.Add(time.Minute) {
			touched[m.In(w.p.TimeZone()).Format("Mon 15:04")] = true
		}
	}
	for i, day := range week.DayNames() {
		for _, s := range hoursOf(w.p) {
			if i < s.First || i > s.Last {
				continue
			}
			given := false
			for m := s.From; m < s.To; m++ {
				given = given || touched[day+" "+week.FormatClock(m)]
			}
			n := len(idle) - 1
			switch {
			case given:
			case n >= 0 && idle[n].Last == i-1 && idle[n].From == s.From && idle[n].To == s.To:
				idle[n].Last = i
			default:
				idle = append(idle, week.Span{First: i, Last: i, From: s.From, To: s.To})
			}
		}
	}
	return idle
}

// hoursOf are the hours that the canonical form of a policy names.
func hoursOf(p *policy.Policy) (all week.Spans) {
	for _, line := range strings.Split(string(p.Canonical()), "\n") {
		if list, ok := strings.CutPrefix(line, "hours.open = "); ok {
			for _, text := range strings.Split(strings.Trim(list, "[]"), ", ") {
				var s week.Span
				if err := s.UnmarshalText([]byte(strings.Trim(text, `"`))); err != nil {
					panic(err)
				}
				all = append(all, s)
			}
		}
	}
	return all
}
