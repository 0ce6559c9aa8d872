package publisher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"kerb/agent/cage"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/counting"
	"kerb/counting/loop"
)

// speaker is the role that fits the site's broker.
func WallRole(site *config.Site) (cage.UplinkRole, error) {
	u, err := url.Parse(site.Broker.URL)
	if err != nil {
		return cage.UplinkRole{}, err
	}
	text := u.Port()
	if text == "" {
		text = map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}[u.Scheme]
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return cage.UplinkRole{}, fmt.Errorf("port of the broker: %w", err)
	}
	role := cage.Uplink(uint16(port)).State(site.Device.State)
	if net.ParseIP(u.Hostname()) == nil {
		role = role.Names()
	}
	// Their directories, because a file that is renewed is another file.
	seen := map[string]bool{}
	b := site.Broker
	for _, file := range []string{b.PasswordFile, b.CAFile, b.CertFile, b.KeyFile} {
		if dir := filepath.Dir(file); file != "" && !seen[dir] {
			seen[dir] = true
			role = role.ReadPaths(dir)
		}
	}
	return role, nil
}

// A writer takes what the supervisor sends and accounts for itant.
type Publisher struct {
	Clearer
	Site  *config.Site
	Clock clock.Clock
	Out   io.Writer
	State *deviceState

	recalled time.Duration // up to which monotonic time an uplink before this one stored windows of this boot
	window   *ipc.Window
	tallies  []counting.Tally
}

// recall finds out what an uplink before this one stored: a window that comes
// again must not be cleared again, since noise is drawn once.
func (w *Publisher) recallLastWindow() error {
	boot := clock.BootID()
	return w.Store.EachWindow(func(i store.Item) error {
		if i.Boot == boot {
			w.recalled = max(w.recalled, i.Release.Mono())
		}
		return nil
	})
}

// serve works until the supervisor says Finish or is gone.
func (w *Publisher) Serve(ctx context.Context, up *uplink.Uplink) error {
	sending, hangUp := context.WithCancel(ctx)
	defer hangUp()
	var sender, heart sync.WaitGroup
	sender.Go(func() {
		if err := up.Run(sending); err != nil {
			w.Log.Error("uplink ended", "err", err)
		}
	})
	heart.Go(func() {
		for sending.Err() == nil && ipc.Write(w.Out, &ipc.Heartbeat{Watching: up.IsOnline()}) == nil {
			select {
			case <-time.After(time.Second):
			case <-sending.Done():
			}
		}
	})
	err := w.readRecords(os.Stdin)
	switch {
	case errors.Is(err, errFinished):
		for end := time.Now().Add(ipc.DrainTimeout); time.Now().Before(end) && w.Store.Stats().Pending > 0; {
			time.Sleep(20 * time.Millisecond)
		}
		err = nil
	case errors.Is(err, io.EOF): // killed: no time for goodbyes
		return w.Store.Close()
	}
	hangUp()
	sender.Wait()
	heart.Wait()
	return errors.Join(err, w.Store.Close())
}

// errFinished is the end that the supervisor asked for.
var errFinished = errors.New("finished")

func (w *Publisher) readRecords(in io.Reader) error {
	for {
		m, err := ipc.Read(in)
		if err != nil {
			return err
		}
		n, err := w.handleRecord(m)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := ipc.Write(w.Out, &ipc.Stored{N: n}); err != nil {
				return err
			}
		}
	}
}

// take handles one message. It returns the number up to which everything is
// stored now, if that is news.
func (w *Publisher) handleRecord(m ipc.Message) (uint64, error) {
	if w.window != nil {
		if _, ok := m.(*ipc.Tally); !ok {
			return 0, fmt.Errorf("%T within a window", m)
		}
	}
	switch m := m.(type) {
	case *ipc.Begin:
		w.Begun = m.Mono
		if v := w.State.book.Decision; m.First && v.Refused != nil {
			w.Store.AddNote("policy_refused", map[string]any{"why": v.Refused.Error(), "in_force": v.Policy.Hash()})
		}
	case *ipc.Window:
		if int(m.Tallies) != len(w.Streams) {
			return 0, fmt.Errorf("a window of %d streams where there are %d", m.Tallies, len(w.Streams))
		}
		w.window, w.tallies = m, w.tallies[:0]
	case *ipc.Tally:
		return w.addTally(m)
	case *ipc.Step:
		w.Store.AddNote("clock_step", clock.Step{Mono: m.Mono, From: m.From.Time(), To: m.To.Time(), Synced: m.Synced}.EventData())
		return m.N, nil
	case *ipc.SensorLost:
		w.noteSensorLost(m)
		return m.N, nil
	case *ipc.Heartbeat:
		w.State.setHeartbeat(int(m.Sensor), m)
	case *ipc.Walls:
		w.State.setWalls(int(m.Sensor), m)
	case *ipc.LoopFault:
		w.noteLoopFault(m)
		return m.N, nil
	case *ipc.CameraFault:
		if int(m.Sensor) < len(w.Site.Cameras) {
			CameraFaultNoter(w.Store, w.Site.Cameras[m.Sensor].Name)(counting.ViewFault(m.Fault), m.On)
		}
		return m.N, nil
	case *ipc.Aim:
		data := m.Data(w.Site.CameraName(int(m.Sensor)))
		data["act"] = m.Word()
		w.Store.AddNote("aim", data)
		return m.N, nil
	case *ipc.AuditHead:
		w.State.setAuditHead(m)
	case *ipc.Board:
		w.State.setBoard(m)
	case *ipc.Finish:
		return 0, errFinished
	}
	return 0, nil
}

// addTally adds one stream to the window, and enters the window when it is whole.
func (w *Publisher) addTally(m *ipc.Tally) (uint64, error) {
	if w.window == nil || int(m.Stream) != len(w.tallies) {
		return 0, errors.New("a tally out of its order")
	}
	t, err := m.Unpack(w.Streams[m.Stream], w.window)
	if err != nil {
		return 0, err
	}
	if w.tallies = append(w.tallies, t); len(w.tallies) < len(w.Streams) {
		return 0, nil
	}
	window := w.window
	w.window = nil
	if err := w.FillDownGaps(w.Clock.ReadAll()); err != nil {
		return 0, err
	}
	if window.Mono > w.recalled {
		if err := w.ClearAndStore(w.tallies, window.Synced); err != nil {
			return 0, err
		}
	}
	w.Store.RetryWrites()
	return window.N, nil
}

func (w *Publisher) noteSensorLost(e *ipc.SensorLost) {
	if names := sensorNames(w.Site); int(e.Sensor) < len(names) {
		w.Store.AddNote("sense_lost", map[string]any{"sensor": names[e.Sensor], "why": ipc.LostWord(e.Why)})
	}
}

func (w *Publisher) noteLoopFault(f *ipc.LoopFault) {
	lines := w.Site.Loops.Lines
	if int(f.Stream) < len(w.Streams) && int(f.Line) < len(lines) {
		LoopFaultNoter(w.Store)(loop.Event{
			Stream: w.Streams[f.Stream].ID, Line: lines[f.Line].Name, Fault: loop.Fault(f.Bits), On: f.On, N: f.Count,
		})
	}
}

// sensorNames names the sensing processes of a site in their order: the cameras,
// then the loops.
func sensorNames(site *config.Site) (names []string) {
	for _, c := range site.Cameras {
		names = append(names, c.Name)
	}
	if len(site.Loops.Lanes) > 0 {
		names = append(names, "loops")
	}
	return names
}
