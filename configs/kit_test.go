package configs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recorded are the messages of kit/testdata/messages.txt, as mosquitto_sub -v printed them:
// two kerb demo -loops, a kerb demo -busy, and a kerb run that was stopped twice and
// killed once within one window.
const recorded = "kit/testdata/messages.txt"

// A recordedWindow is what the test adds up of a window.
type recordedWindow struct {
	Schema, Tenant, Site, Device, Stream, Epoch, Start, Quality string
	Seq                                                         int
	Part                                                        int
	Observed                                                    int `json:"observed_s"`
	Counts                                                      []struct {
		Class, Dir string
		N          *int
		Min, Below int
	}
}

// readRecorded returns the lines, and the windows of count and backfill by their key.
func readRecorded(t *testing.T) (lines []string, windows map[string]recordedWindow) {
	t.Helper()
	b, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	windows = map[string]recordedWindow{}
	for l := range strings.Lines(string(b)) {
		lines = append(lines, l)
		_, payload, _ := strings.Cut(l, " ")
		var w recordedWindow
		if json.Unmarshal([]byte(payload), &w) == nil && w.Schema == "kerb.count/1" {
			windows[fmt.Sprintf("%s/%s/%s|%s|%s|%d", w.Tenant, w.Site, w.Device, w.Epoch, w.Stream, w.Seq)] = w
		}
	}
	return lines, windows
}

// withoutHalf returns the lines without every second window.
func withoutHalf(lines []string) (rest []string) {
	n := 0
	for _, l := range lines {
		if strings.Contains(l, "/count/") {
			if n++; n%2 == 0 {
				continue
			}
		}
		rest = append(rest, l)
	}
	return rest
}

// backfills returns the windows of the lines as late ones: lists on …/backfill/{stream}.
func backfills(t *testing.T, lines []string) (late []string) {
	t.Helper()
	lists := map[string][]string{}
	for _, l := range lines {
		if topic, payload, _ := strings.Cut(strings.TrimSpace(l), " "); strings.Contains(topic, "/count/") {
			topic = strings.Replace(topic, "/count/", "/backfill/", 1)
			lists[topic] = append(lists[topic], payload)
		}
	}
	for topic, list := range lists {
		late = append(late, topic+" ["+strings.Join(list, ",")+"]\n")
	}
	if len(late) < 3 {
		t.Fatalf("%d lists of windows", len(late))
	}
	slices.Sort(late)
	return late
}

// sums adds up the windows by stream, hour, class and direction: number, lower and upper
// bound, as the view crossings does, and lower bounds of bands weighted with the time, as
// presence does. It returns them as the lines that query prints.
func sums(windows map[string]recordedWindow) (out []string) {
	type sum struct{ n, low, high, seconds int }
	all := map[string]sum{}
	for _, w := range windows {
		for _, c := range w.Counts {
			key := strings.Join([]string{w.Tenant + "/" + w.Site + "/" + w.Device, w.Stream, w.Start[:13], c.Class, c.Dir}, "|")
			s := all[key]
			s.seconds += w.Observed
			switch {
			case c.N != nil:
				s.n, s.low, s.high = s.n+*c.N, s.low+*c.N, s.high+*c.N
			case c.Dir == "": // a band of a mean
				s.low, s.high = s.low+c.Min*w.Observed, s.high+c.Below*w.Observed
			default:
				s.high += c.Below - 1
			}
			all[key] = s
		}
	}
	for key, s := range all {
		if strings.HasSuffix(key, "|") {
			out = append(out, fmt.Sprintf("%s%.3f|%.3f", key, float64(s.low)/float64(s.seconds), float64(s.high)/float64(s.seconds)))
		} else {
			out = append(out, fmt.Sprintf("%s|%d|%d|%d", key, s.n, s.low, s.high))
		}
	}
	slices.Sort(out)
	return out
}

// consume gives the lines to the consumer and returns what it says.
func consume(t *testing.T, db string, lines ...string) string {
	t.Helper()
	c := exec.Command("python3", "kit/consumer.py", db)
	c.Stdin = strings.NewReader(strings.Join(lines, ""))
	said, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return string(said)
}

// query returns the rows of a query, with | between the columns.
func query(t *testing.T, db, q string) []string {
	t.Helper()
	out, err := exec.Command("python3", "-c", `import sqlite3, sys
for r in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(*r, sep="|")`, db, q).Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

const (
	askSums = `select dev, stream, hour, class, dir, printf('%d|%d|%d', n, low, high) from crossings
		union all select dev, stream, hour, class, printf('%.3f|%.3f', low, high), null from presence order by 1, 2, 3, 4, 5`
	askCoverage = "select dev, stream, hour, printf('%d', round(share * 3600)), gaps from coverage order by 1, 2, 3"
)

// sumsOf returns the sums of the consumer's views in the form of sums.
func sumsOf(t *testing.T, db string) []string {
	t.Helper()
	rows := query(t, db, askSums)
	for i := range rows {
		rows[i] = strings.TrimSuffix(rows[i], "|None")
	}
	slices.Sort(rows)
	return rows
}

func TestTheConsumerAddsUpAsTheWindowsSay(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3")
	}
	lines, windows := readRecorded(t)
	found := map[string]int{}
	for _, w := range windows {
		found[w.Quality]++
		if w.Part > 1 {
			found["part"]++
		}
		for _, c := range w.Counts {
			switch {
			case c.N != nil && *c.N < 0:
				found["negative"]++
			case c.N == nil && c.Dir != "":
				found["withheld"]++
			case c.N == nil && c.Min > 0:
				found["band"]++
			}
		}
	}
	for _, kind := range []string{"ok", "partial", "gap", "part", "negative", "withheld", "band"} {
		if found[kind] == 0 {
			t.Errorf("the recording has no %s: it tries nothing", kind)
		}
	}
	db := filepath.Join(t.TempDir(), "counts.db")
	if said := consume(t, db, withoutHalf(lines)...); said != "" {
		t.Error(said)
	}
	// All come late, as lists, after a restart of the consumer: half of them for the second time.
	late := backfills(t, lines)
	slices.Reverse(late)
	if said := consume(t, db, late...); said != "" {
		t.Error(said)
	}
	if got, want := sumsOf(t, db), sums(windows); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	cover := map[string][2]int{}
	for _, w := range windows {
		key := strings.Join([]string{w.Tenant + "/" + w.Site + "/" + w.Device, w.Stream, w.Start[:13]}, "|")
		c := cover[key]
		c[0] += w.Observed
		if w.Quality == "gap" {
			c[1]++
		}
		cover[key] = c
	}
	var want []string
	for key, c := range cover {
		want = append(want, fmt.Sprintf("%s|%d|%d", key, c[0], c[1]))
	}
	slices.Sort(want)
	if got := query(t, db, askCoverage); !slices.Equal(got, want) {
		t.Errorf("coverage %v, want %v", got, want)
	}
	if holes := query(t, db, "select * from holes"); len(holes) != 0 {
		t.Errorf("holes %v in a whole recording", holes)
	}
}

func TestTheConsumerFindsHolesAndForgeries(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3")
	}
	lines, _ := readRecorded(t)
	find := func(parts ...string) int {
		i := slices.IndexFunc(lines, func(l string) bool {
			return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(l, p) })
		})
		if i < 0 {
			t.Fatalf("no line with %v", parts)
		}
		return i
	}
	at := find("/count/single ", `"seq":2,`)
	key := lines[at][strings.Index(lines[at], `"epoch"`):]
	epoch := strings.Split(key, `"`)[3]
	db := filepath.Join(t.TempDir(), "counts.db")
	consume(t, db, slices.Delete(slices.Clone(lines), at, at+1)...)
	hole := []string{"kerb/demo/demo|" + epoch + "|single|2|2"}
	if got := query(t, db, "select * from holes"); !slices.Equal(got, hole) {
		t.Errorf("%v, want %v", got, hole)
	}
	// Another device cannot fill it, and the device itself cannot change a window.
	forged := strings.Replace(lines[at], "kerb/v1/kerb/demo/demo/", "kerb/v1/kerb/demo/other/", 1)
	consume(t, db, forged)
	if got := query(t, db, "select * from holes"); !slices.Equal(got, hole) {
		t.Errorf("after a forgery: %v", got)
	}
	i := find("/count/single ", `"seq":3,`, epoch)
	if said := consume(t, db, strings.Replace(lines[i], `"n":`, `"n":1`, 1)); !strings.Contains(said, "two windows of one key") {
		t.Errorf("two windows of one key: %q", said)
	}
	// A window gone for good is no hole.
	gone := fmt.Sprintf(`kerb/v1/kerb/demo/demo/ack {"schema":"kerb.ack/1","tenant":"kerb","site":"demo","device":"demo","gone":[{"epoch":%q,"stream":"single","from":1,"to":2,"reason":"expired"}]}`, epoch)
	consume(t, db, gone+"\n")
	if got := query(t, db, "select * from holes"); len(got) != 0 {
		t.Errorf("after gone: %v", got)
	}
	// The last windows of an epoch: the event of the next epoch tells that there were more.
	i = find(`"kind":"epoch"`, `"previous"`, `"road":`)
	var e struct {
		Data struct {
			Previous string
			Last     map[string]int
		}
	}
	_, payload, _ := strings.Cut(lines[i], " ")
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		t.Fatal(err)
	}
	last := fmt.Sprintf(`"seq":%d,`, e.Data.Last["road"])
	db = filepath.Join(t.TempDir(), "counts.db")
	consume(t, db, slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		return strings.Contains(l, "/count/road ") && strings.Contains(l, e.Data.Previous) && strings.Contains(l, last)
	})...)
	want := fmt.Sprintf("kerb/bench/std|%s|road|%d|%[2]d", e.Data.Previous, e.Data.Last["road"])
	if got := query(t, db, "select * from holes"); !slices.Equal(got, []string{want}) {
		t.Errorf("%v, want %v", got, want)
	}
}
