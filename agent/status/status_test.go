package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kerb/agent/ipc"
	"kerb/agent/state"
	"kerb/configs/configstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serveTest serves a socket in a new state directory.
func serveTest(t *testing.T, answer func(*ipc.Query) [][]byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { Serve(ctx, l, answer) })
	t.Cleanup(func() {
		cancel()
		serving.Wait()
	})
	return dir
}

// wellDevice and wellUplink are the two parts of a device without a problem.
var (
	wellDevice = Device{
		Name: "pole-7", Site: "high-street", Tenant: "camden", Version: "1.0", Up: 11520, Policy: &Policy{Title: "Standard", Version: 1, Hash: "sha256:00"},
		Cameras: []Camera{{Name: "north", State: Counting, Rate: 10, Detector: "neural", LookRate: 10, View: ViewWell}},
		Lamp:    &Lamp{Code: "counting", Fixed: true}, Clock: &Clock{Synced: true, Source: "ntp"}, Disk: &Disk{State: "/var/lib/kerb", Free: 1 << 33},
	}
	wellUplink = Uplink{
		Broker: &Broker{URL: "mqtts://broker:8883", Connected: true, Proven: true, Since: time.Unix(1e9, 0).UTC()},
		Spool:  &Spool{Health: HealthOK, Epoch: "c27976e6-3116-4fb1-9f57-b17f1a2bf4a0", Used: 36 << 10, Limit: 64 << 20},
		Alarms: []Alarm{
			{Stream: "plaza", Class: "person", Busy: true, Since: time.Date(2026, 11, 27, 13, 0, 0, 0, time.UTC)},
			{Stream: "square", Class: "person"},
		},
		Windows: []Window{{Message: json.RawMessage(`{"schema":"kerb.count/1","tenant":"camden","site":"high-street","device":"pole-7","stream":"path","epoch":"c27976e6-3116-4fb1-9f57-b17f1a2bf4a0","seq":9,` +
			`"start":"2026-11-30T08:30:00Z","end":"2026-11-30T08:31:00Z","observed_s":60,"quality":"ok","policy":"sha256:5ff3d4335a4b4014bf1b28c47a857224f15d4ae816c7c5b478d627cbc9ee6c8c",` +
			`"counts":[{"class":"person","dir":"a_to_b","n":13},{"class":"person","dir":"b_to_a","n":8}],"time":{"synced":true,"mono_ms":1}}`)}},
		Last: 1,
	}
)

func answerWell(q *ipc.Query) [][]byte {
	device, _ := json.Marshal(wellDevice)
	uplink, _ := json.Marshal(wellUplink)
	switch q.What {
	case ipc.QueryWindows:
		if q.After > 0 {
			return [][]byte{[]byte("{}")}
		}
		return [][]byte{uplink}
	case ipc.QueryLog:
		return [][]byte{[]byte(`{"lines":["a","ö"]}`)}
	}
	return [][]byte{device, uplink}
}

func TestAClientGetsTheWholeAnswer(t *testing.T) {
	c, err := Dial(t.Context(), serveTest(t, answerWell))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Status(5, time.Unix(1e9+3600, 0))
	if err != nil || !s.Well || !s.Running || len(s.Windows) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := configstest.Validate(t, "status", text); err != nil {
		t.Error(err)
	}
	if err := configstest.Validate(t, "count", s.Windows[0].Message); err != nil {
		t.Error(err)
	}
	var out strings.Builder
	if err := s.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"camden/high-street/pole-7, up 3 h 12 min, kerb 1.0, policy Standard, version 1", "north      10.0 pictures/s, neural, 10 looks/s, view well",
		"mqtts://broker:8883, connected 1 h 0 min, delivery proven", "0 windows wait; 36 KiB of at most 64.0 MiB", "believed: ntp", "8.0 GiB free",
		"one short flash every 3 s", "person a→b 13, b→a 8  ok", "plaza, person: YES, since ", "square, person: no\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not told: %s\n%s", want, &out)
		}
	}
	n := 0
	if err := c.Windows(func(Window) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d windows, %v", n, err)
	}
	if lines, err := c.Log(); err != nil || len(lines) != 2 || lines[1] != "ö" {
		t.Errorf("log %q, %v", lines, err)
	}
}

// Each thing that is wrong is one line, with what to do.
func TestWhatIsWrongIsToldInOneLineWithWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Device, *Uplink)
		want   []string // on one line
	}{
		"a dead camera": {func(d *Device, _ *Uplink) {
			d.Cameras = []Camera{{Name: "north", State: Lost, For: 240, Why: "camera refuses the user or the password"}}
		}, []string{"camera  north", "LOST 4 min: camera refuses the user or the password", "→ correct user and password_file"}},
		"a spoilt view": {func(d *Device, _ *Uplink) {
			d.Cameras = []Camera{{Name: "north", State: Counting, View: "camera_moved"}}
		}, []string{"camera  north", "camera_moved", "→ see view.md"}},
		"a dead broker": {func(_ *Device, u *Uplink) {
			u.Broker = &Broker{URL: "mqtt://b:1883", Refusal: "dial tcp: connection refused"}
		}, []string{"broker", "not connected: dial tcp: connection refused", "→ is the broker running"}},
		"a broker that drops everything": {func(_ *Device, u *Uplink) {
			u.Broker = &Broker{Connected: true, Denied: []string{"kerb/v1/a/b/c/state"}, ACL: []string{"topic readwrite kerb/v1/a/b/c/#"}}
		}, []string{"broker", "does not pass on kerb/v1/a/b/c/state", "topic readwrite kerb/v1/a/b/c/#"}},
		"a twin": {func(_ *Device, u *Uplink) { u.Broker = &Broker{Connected: true, Proven: true, Twin: "epoch x"} }, []string{"broker", "another device", "[device] name"}},
		"a full disk": {func(d *Device, u *Uplink) {
			d.Disk, u.Spool = &Disk{Free: 1 << 20}, &Spool{Health: HealthMemory, Why: "no space left on device", Full: true}
		}, []string{"disk", "FULL, nothing is stored", "→ make room, or replace the card"}},
		"a spool that cannot be written": {func(_ *Device, u *Uplink) { u.Spool = &Spool{Health: HealthMemory, Why: "input/output error"} }, []string{"spool", "input/output error", "→ replace the card"}},
		"a clock that is not believed":   {func(d *Device, _ *Uplink) { d.Clock = &Clock{Source: "none"} }, []string{"clock", "not believed", "→ let port 123 through"}},
		"loops without rights": {func(d *Device, _ *Uplink) {
			d.Loops = &Loops{State: Lost, Why: "open /dev/gpiochip0: permission denied; the user needs the group gpio"}
		}, []string{"loops", "permission denied", "→ give the user that group"}},
		"a stuck loop":                   {func(d *Device, _ *Uplink) { d.Loops = &Loops{State: Counting, Faults: []string{"a1"}} }, []string{"loops", "not counted: a1", "→ look at the road"}},
		"an uplink that does not answer": {func(_ *Device, u *Uplink) { *u = Uplink{} }, []string{"kerb", "does not answer", "→ wait"}},
		"a refused policy":               {func(d *Device, _ *Uplink) { d.Policy = &Policy{Refused: "older"} }, []string{"policy", "refused", "older", "→ see signing.md"}},
		"a cut audit log":                {func(d *Device, _ *Uplink) { d.AuditCut = "the audit log lacks the entries 3 to 9" }, []string{"audit", "lacks the entries 3 to 9", "→ find out who"}},
		"a refused reload":               {func(d *Device, _ *Uplink) { d.ReloadRefused = "site.toml:3: no such key" }, []string{"files", "not taken", "site.toml:3", "→ kerb check"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Status{Schema: Schema, Running: true, Device: wellDevice, Uplink: wellUplink}
			c.change(&s.Device, &s.Uplink)
			s.assess(nil)
			var out strings.Builder
			if err := s.Print(&out); err != nil || s.Well || len(s.Problems) != 1 {
				t.Errorf("well %v, %v, problems %+v", s.Well, err, s.Problems)
			}
			found := false
			for line := range strings.Lines(out.String()) {
				all := true
				for _, w := range c.want {
					all = all && strings.Contains(line, w)
				}
				found = found || all
			}
			if !found {
				t.Errorf("no line with %q:\n%s", c.want, &out)
			}
		})
	}
}

func TestADeviceWhoseAgentDoesNotRunSaysSo(t *testing.T) {
	dir := t.TempDir()
	if _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, state.StatusSocket), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as a killed agent leaves it
	l.Close()
	if _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a socket that was left behind: %v", err)
	}
	again, err := Listen(dir)
	if err != nil {
		t.Fatalf("the next agent: %v", err)
	}
	again.Close()
	for refused, want := range map[error]string{nil: "does not run → systemctl start kerb", errors.New("site.toml:3: no such key\nand more"): "does not run: site.toml:3: no such key → kerb check"} {
		var out strings.Builder
		s := NewStopped(Device{Name: "pole"}, Uplink{Spool: &Spool{Health: HealthOK, Waiting: 3}}, refused, time.Now())
		if err := s.Print(&out); err != nil || s.Well || !strings.Contains(out.String(), want) || !strings.Contains(out.String(), "3 windows wait") {
			t.Errorf("%v, want %q:\n%s", err, want, &out)
		}
	}
}

// Only the owner may connect to the socket, and the group kerb where there is one.
func TestTheSocketIsClosedToOtherUsers(t *testing.T) {
	dir := serveTest(t, answerWell)
	info, err := os.Stat(filepath.Join(dir, state.StatusSocket))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 || mode&0o600 != 0o600 {
		t.Errorf("mode %o", mode)
	}
	for group, want := range map[bool]bool{true: true, false: false} {
		if e := (DeniedError{"eve", group}); strings.Contains(e.Error(), "usermod -aG kerb eve") != want || !strings.Contains(e.Error(), "sudo kerb status") {
			t.Errorf("group in a file %v: %v", group, e)
		}
	}
}

// Hostile clients send garbage, send nothing, read nothing and come in numbers. An
// honest one is answered meanwhile or told that kerb is busy, and at once after them;
// the agent keeps nothing of them.
func TestHostileClientsDoNotStopTheAnswers(t *testing.T) {
	big := bytes.Repeat([]byte{' '}, maxAnswer) // no socket buffer holds it
	dir := serveTest(t, func(q *ipc.Query) [][]byte {
		if q.What == ipc.QueryLog {
			return [][]byte{append([]byte(`{"lines":[]`), append(big, '}')...)}
		}
		return answerWell(q)
	})
	path := filepath.Join(dir, state.StatusSocket)
	var hostile []net.Conn
	defer func() {
		for _, c := range hostile {
			c.Close()
		}
	}()
	for i := range 200 {
		c, err := net.Dial("unix", path)
		if err != nil {
			continue // the queue of the listener is full
		}
		hostile = append(hostile, c)
		_ = c.SetWriteDeadline(time.Now().Add(time.Minute))
		switch i % 4 {
		case 0: // garbage
			garbage := make([]byte, 1000)
			for j := range garbage {
				garbage[j] = byte(rand.Uint32())
			}
			_, _ = c.Write(garbage)
		case 1: // half a record, and then nothing
			_, _ = c.Write([]byte("kerb\x01"))
		case 2: // asks, and does not read
			_ = ipc.WriteRecord(c, &ipc.Query{What: ipc.QueryLog})
		case 3: // another record, and a question that is none
			_ = ipc.WriteRecord(c, &ipc.Finish{})
		}
	}
	answered := 0
	for end := time.Now().Add(2 * time.Minute); answered < 3 && time.Now().Before(end); {
		c, err := Dial(t.Context(), dir)
		if err != nil {
			if !errors.Is(err, ErrBusy) {
				t.Fatal(err)
			}
			continue
		}
		s, err := c.Status(1, time.Now())
		c.Close()
		switch {
		case err == nil && s.Name == "pole-7":
			answered++
		case errors.Is(err, ErrBusy):
			time.Sleep(10 * time.Millisecond)
		default:
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if answered < 3 {
		t.Error("the honest client was not answered in two minutes")
	}
	for i, c := range hostile { // each is disconnected by the agent
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("client %d is still connected", i)
		}
	}
}

func TestAnAnswerOfTheUplinkIsBounded(t *testing.T) {
	var b bytes.Buffer
	if err := WriteAnswer(&b, 7, wellUplink); err != nil {
		t.Fatal(err)
	}
	if n, text, err := ReadAnswer(&b); n != 7 || !json.Valid(text) || err != nil {
		t.Errorf("%d, %s, %v", n, text, err)
	}
	if err := WriteAnswer(io.Discard, 1, strings.Repeat("x", maxAnswer)); err == nil {
		t.Error("a long answer is written")
	}
	if _, _, err := ReadAnswer(bytes.NewReader(bytes.Repeat([]byte{0xff}, 64))); err == nil {
		t.Error("a long answer is read")
	}
}

func TestAWindowTellsItsQuantities(t *testing.T) {
	for message, want := range map[string]string{
		`{"stream":"pair","counts":[{"class":"vehicle","dir":"a_to_b","n":31}],"occ":{"permille":84},"speed":{"n":30,"mean":47.5,"bins":[0,null,12]},"gap":{"bins":[3,4]},"congested":{"n":null}}`: "vehicle a→b 31; covered 84 ‰; speed 47.5 km/h of 30; speeds 0 – 12; gaps 3 4; congested –\n",
		`{"stream":"plaza","counts":[{"class":"person","mean":2.5,"peak":7}],"standing":[{"class":"person","standing":1.9,"moving":null}]}`:                                                        "person mean 2.5, peak 7; person standing 1.9, moving –\n",
		`{"stream":"road","counts":[{"class":"vehicle","dir":"a_to_b","below":10}],"speed":{"n":null,"mean":null}}`:                                                                                "below 10; speed – km/h of –\n",
		`{"stream":"path","counts":[{"class":"person","dir":"a_to_b","n":3}]}`:                                                                                                                     "person a→b 3\n",
	} {
		var list strings.Builder
		if err := PrintWindow(&list, Window{Message: json.RawMessage(message)}); err != nil || !strings.HasSuffix(list.String(), want) {
			t.Errorf("%v: %s\nwant %s", err, &list, want)
		}
	}
}

func TestEachNumberOfAWindowIsARow(t *testing.T) {
	zone := Window{Pending: true, Message: json.RawMessage(`{"stream":"square","epoch":"e","seq":2,"start":"2026-11-30T08:30:00Z","end":"2026-11-30T08:45:00Z","observed_instants":15,` +
		`"quality":"partial","reason":"starting","policy":"p","counts":[{"class":"person","mean":2.5,"peak":7},{"class":"bicycle","min":1,"below":5},{"class":"vehicle","below":5}],"time":{"synced":false}}`)}
	gap := Window{Message: json.RawMessage(`{"stream":"path","epoch":"e","seq":1,"start":"2026-11-30T08:30:00Z","end":"2026-11-30T08:45:00Z","observed_s":0,"quality":"gap","reason":"down","policy":"p","time":{"synced":true}}`)}
	var table, list strings.Builder
	c, err := NewCSV(&table)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range append([]Window{zone, gap}, wellUplink.Windows...) {
		if err := errors.Join(c.WriteWindow(w), PrintWindow(&list, w)); err != nil {
			t.Error(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	const when = "2026-11-30T08:30:00Z,2026-11-30T08:45:00Z"
	for _, want := range []string{
		strings.Join(csvHead, ","),
		"e,square,2," + when + ",false,,15,partial,starting,p,false,person,,,2.5,7,,",
		"e,square,2," + when + ",false,,15,partial,starting,p,false,bicycle,,,,,1,5",
		"e,path,1," + when + ",true,0,,gap,down,p,true,,,,,,,",
		",person,a_to_b,13,,,,\n", ",person,b_to_a,8,,,,\n",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no row %s in\n%s", want, &table)
		}
	}
	for _, want := range []string{"mean 2.5, peak 7, bicycle 1 to below 5, vehicle below 5", "gap (down)   no counts", fmt.Sprintf("%-9s", "pending")} {
		if !strings.Contains(list.String(), want) {
			t.Errorf("no %s in\n%s", want, &list)
		}
	}
	if err := PrintWindow(io.Discard, Window{Message: json.RawMessage("no")}); err == nil {
		t.Error("a window that is none is printed")
	}
}

// An older agent closes the connection at a question that it does not know.
func TestAnOlderAgentIsTellableFromABusyOne(t *testing.T) {
	for _, test := range []struct {
		name     string
		answered int // questions before the connection is closed
		want     string
	}{
		{"older", 1, "the running agent is kerb 1.0, older than this command"},
		{"busy", 0, ErrBusy.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			l, err := Listen(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			var serving sync.WaitGroup
			defer serving.Wait()
			serving.Go(func() {
				conn, err := l.AcceptUnix()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				for range test.answered {
					if _, err := ipc.ReadRecord(conn); err != nil {
						t.Error(err)
						return
					}
					for _, part := range []any{wellDevice, wellUplink} {
						if err := json.NewEncoder(conn).Encode(part); err != nil {
							t.Error(err)
						}
					}
				}
				if _, err := ipc.ReadRecord(conn); err != nil {
					t.Error(err)
				}
			})
			c, err := Dial(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.History(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("History says %v, want %q", err, test.want)
			}
		})
	}
}
