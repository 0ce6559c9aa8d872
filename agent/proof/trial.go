package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"kerb/agent/canary"
	"kerb/agent/localbroker"
	"kerb/agent/process"
	"kerb/configs"
)

// A Trial is a kerb of its own that is shown marked pictures: the same program
// and the same processes as on the street, with a camera and a broker that
// belong to the one who looks.
type Trial struct {
	dir     string
	mark    *canary.Mark
	shown   atomic.Int64 // pictures that were sent
	camera  *http.Server
	broker  *localbroker.Broker
	wiretap *wiretap
	Output  bytes.Buffer // everything that kerb run said
	begun   time.Time

	places []Finding // what was looked at while it ran
}

// spot is where was looked and what was found of the mark.
type Finding struct {
	Place   string   `json:"place"`
	Bytes   int      `json:"bytes"`
	Found   []string `json:"found"`
	Refused string   `json:"refused,omitempty"` // the kernel did not let this process look
}

const trialSite = `[device]
name = "canary"
site = "trial"
tenant = "kerb"
state = "state"
clock_floor = "2020-01-01"
[broker]
url = %q
[[camera]]
name = "canary"
source = "http://%s/"
[[camera.line]]
id = "canary"
from = [0.5, 0]
to = [0.5, 1]
classes = ["person", "vehicle"]
`

func NewTrial() (t *Trial, err error) {
	t = &Trial{mark: canary.New(), begun: time.Now()}
	if t.dir, err = os.MkdirTemp("", "kerb-prove-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	if t.broker, err = localbroker.New(); err != nil {
		return nil, err
	}
	t.wiretap = new(wiretap)
	if err := t.broker.Server.AddHook(t.wiretap, nil); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t.camera = &http.Server{Handler: http.HandlerFunc(t.serveCamera)}
	go func() { _ = t.camera.Serve(l) }() // until close
	policy, err := configs.ReadPolicy("standard")
	if err != nil {
		return nil, err
	}
	site := fmt.Sprintf(trialSite, t.broker.URL, l.Addr())
	return t, errors.Join(os.WriteFile(t.filePath("site.toml"), []byte(site), 0o600), os.WriteFile(t.filePath("policy.toml"), policy, 0o600))
}

func (t *Trial) filePath(name string) string { return filepath.Join(t.dir, name) }

func (t *Trial) Close() {
	if t.camera != nil {
		t.camera.Close()
	}
	if t.broker != nil {
		t.broker.Close()
	}
	os.RemoveAll(t.dir)
}

// serveCamera is a camera of marked pictures.
func (t *Trial) serveCamera(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
	for n := 0; ; n++ {
		p, err := t.mark.EncodeJPEG(n)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(p), p); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		t.shown.Add(1)
		select {
		case <-time.After(100 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

// run lets kerb run count for a while, looks into its processes, asks the
// kernel for a core of the one that sees, and ends it as systemd does.
func (t *Trial) Run(ctx context.Context, long time.Duration) error {
	kerb := exec.Command("/proc/self/exe", "run", "--site", t.filePath("site.toml"), "--policy", t.filePath("policy.toml"))
	kerb.Dir = t.dir
	kerb.Stdout, kerb.Stderr = &t.Output, &t.Output
	kerb.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := process.NewStarter().Start(kerb); err != nil {
		return err
	}
	defer kerb.Process.Kill()
	select {
	case <-time.After(long):
	case <-ctx.Done():
	}
	sense, err := t.searchProcesses(ctx, kerb.Process.Pid)
	if err == nil && t.shown.Load() == 0 {
		err = errors.New("the trial saw no picture")
	}
	if err != nil {
		_ = kerb.Process.Kill()
		_ = kerb.Wait()
		return fmt.Errorf("%w:\n%s", err, t.Output.Bytes())
	}
	// A core, if one can be had, lands in the trial's directory or where
	// core_pattern says; both are searched. A fresh process is started.
	_ = syscall.Kill(sense, syscall.SIGSEGV)
	time.Sleep(time.Second)
	_ = kerb.Process.Signal(syscall.SIGTERM)
	overdue := time.AfterFunc(20*time.Second, func() { _ = kerb.Process.Kill() })
	defer overdue.Stop()
	if err := kerb.Wait(); err != nil {
		return fmt.Errorf("the trial's kerb: %w\n%s", err, t.Output.Bytes())
	}
	return ctx.Err()
}

// childrenByRole are the children of a kerb run by their roles, and it by its own.
func childrenByRole(pid int) map[string]int {
	all := map[string]int{"supervisor": pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, path := range stats {
		// proc_pid_stat(5): the parent is the second field after the name.
		b, _ := os.ReadFile(path)
		_, rest, _ := bytes.Cut(b, []byte(") "))
		fields := strings.Fields(string(rest))
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if words := strings.Split(string(args), "\x00"); len(words) > 1 {
			all[words[1]], _ = strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	return all
}

// searchProcesses looks into every process of a kerb run, into sense first. One that
// has just been started again, as on a slow machine, is looked at later.
func (t *Trial) searchProcesses(ctx context.Context, kerb int) (sense int, err error) {
	held, err := t.waitForMark(ctx, kerb)
	if err != nil {
		return 0, err
	}
	for _, role := range []string{"sense", "uplink", "supervisor"} {
		var all, loose Finding
		pid := 0
		for try := range 5 {
			if try > 0 {
				time.Sleep(time.Second)
			}
			pid = childrenByRole(kerb)[role]
			if all, loose, err = t.searchMemory(role, pid); err == nil {
				break
			}
		}
		if err != nil {
			return 0, err
		}
		if role == "sense" {
			sense = pid
			all.addForms(held.Found...)
			t.places = append(t.places, all, loose)
			continue
		}
		t.places = append(t.places, all)
	}
	return sense, nil
}

// markTimeout is how long a picture is looked for in the memory of sense: it lies
// there for a part of the time only, and a slow machine starts slowly.
const markTimeout = 2 * time.Minute

// waitForMark looks into the arena of sense until a picture lies there. None at all
// is for the caller to judge.
func (t *Trial) waitForMark(ctx context.Context, kerb int) (held Finding, err error) {
	overdue := time.Now().Add(markTimeout)
	for ctx.Err() == nil && time.Now().Before(overdue) {
		var m *processMemory
		if m, err = openMemory(childrenByRole(kerb)["sense"]); errors.Is(err, fs.ErrPermission) {
			return held, nil
		}
		if err == nil {
			for _, b := range m.copyArena() { // all at one time, and then the long search
				held.searchBytes(t.mark, b)
			}
			m.Close()
			if len(held.Found) > 0 {
				return held, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return held, err
}

// searchMemory looks into a process, where the kernel lets us: only root may, and
// not everywhere. Loose is the part of it that a core would have.
func (t *Trial) searchMemory(role string, pid int) (p, loose Finding, err error) {
	p = Finding{Place: "memory of " + role, Found: []string{}}
	loose = Finding{Place: p.Place + " outside the arena", Found: []string{}}
	m, err := openMemory(pid)
	if errors.Is(err, fs.ErrPermission) {
		p.Refused, loose.Refused = err.Error(), err.Error()
		return p, loose, nil
	}
	if err != nil {
		return p, loose, fmt.Errorf("look into the memory of %s: %w", role, err)
	}
	defer m.Close()
	for _, a := range m.mappings {
		b := m.readMapping(a)
		p.searchBytes(t.mark, b)
		if !a.noCore {
			loose.searchBytes(t.mark, b)
		}
	}
	return p, loose, nil
}

func (p *Finding) searchBytes(m *canary.Mark, b []byte) {
	p.Bytes += len(b)
	for part := range nonZeroParts(b) {
		p.addForms(m.FindForms(part)...)
	}
}

func (p *Finding) addForms(forms ...string) {
	for _, form := range forms {
		if !slices.Contains(p.Found, form) {
			p.Found = append(p.Found, form)
		}
	}
}

// written are the stretches of b between pages of zeros, of which a process has
// many that it never touched and a mark has none.
func nonZeroParts(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var zeros [4096]byte
		from, at := 0, 0
		for ; at < len(b); at += len(zeros) {
			page := b[at:min(at+len(zeros), len(b))]
			if !bytes.Equal(page, zeros[:len(page)]) {
				continue
			}
			if from < at && !yield(b[from:at]) {
				return
			}
			from = at + len(zeros)
		}
		if from < len(b) {
			yield(b[from:])
		}
	}
}

// searchFiles looks through every file below a directory that is younger than since.
func (t *Trial) searchFiles(name, dir string, since time.Time, skip string) (Finding, error) {
	p := Finding{Place: name, Found: []string{}}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if path == dir {
				return err
			}
			return nil // gone, or somebody else's
		}
		if e.IsDir() && path == skip {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil || !e.Type().IsRegular() || info.ModTime().Before(since) || info.Size() > 256<<20 {
			return nil
		}
		b, err := os.ReadFile(path)
		if err == nil {
			p.searchBytes(t.mark, b)
		}
		return nil
	})
	return p, err
}
