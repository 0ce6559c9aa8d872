package proof

import (
	"bytes"
	"cmp"
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

// A Trial is a second kerb run with the same binary and the same processes as in
// service. Its cameras and its broker belong to this process: the cameras send marked
// pictures, as Motion JPEG and as H.264 in MP4, and the broker keeps every message.
type Trial struct {
	dir     string
	mark    *canary.Mark
	shown   atomic.Int64 // pictures that the cameras have sent
	broken  atomic.Int64 // answers against the rules
	camera  *http.Server
	broker  *localbroker.Broker
	wiretap *wiretap
	Output  bytes.Buffer // standard output and standard error of kerb run
	start   time.Time

	places []Finding // findings in the memory of its processes, made by Run
}

// A Finding is one place that was searched, and the forms of the mark that were found
// there, such as pixels or JPEG in hex.
type Finding struct {
	Place   string   `json:"place"`
	Bytes   int      `json:"bytes"` // number of bytes that were searched
	Found   []string `json:"found"`
	Refused string   `json:"refused,omitempty"` // why the place could not be read
}

// trialSite is the site.toml of the trial: the address of the broker, and that of the
// cameras. Of these two work, and two answer against the rules, so that the outcome
// of that is searched, too.
const trialSite = `[device]
name = "canary"
site = "trial"
tenant = "kerb"
state = "state"
clock_floor = "2020-01-01"
[broker]
url = %[1]q
[[camera]]
name = "canary"
source = "http://%[2]s/"
[[camera.line]]
id = "canary"
from = [0.5, 0]
to = [0.5, 1]
classes = ["person", "vehicle"]
[[camera]]
name = "clip"
source = "http://%[2]s/clip"
every = "10s"
[[camera.zone]]
id = "clip"
polygon = [[0, 0], [1, 0], [1, 1], [0, 1]]
classes = ["person", "vehicle"]
[[camera]]
name = "broken"
source = "http://%[2]s/broken"
[[camera.line]]
id = "broken"
from = [0.5, 0]
to = [0.5, 1]
classes = ["person"]
[[camera]]
name = "still"
source = "http://%[2]s/still.jpg"
every = "10s"
[[camera.zone]]
id = "still"
polygon = [[0, 0], [1, 0], [1, 1], [0, 1]]
classes = ["person"]
`

// NewTrial starts camera and broker and writes site.toml and a standard policy.toml
// into a temporary directory. The caller must Close the trial.
func NewTrial() (t *Trial, err error) {
	t = &Trial{mark: canary.New(), start: time.Now()}
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
	t.camera = &http.Server{Handler: t.cameras()}
	go func() { _ = t.camera.Serve(l) }() // returns at Close
	policy, err := configs.ReadPolicy("standard")
	if err != nil {
		return nil, err
	}
	site := fmt.Sprintf(trialSite, t.broker.URL, l.Addr())
	return t, errors.Join(os.WriteFile(t.filePath("site.toml"), []byte(site), 0o600), os.WriteFile(t.filePath("policy.toml"), policy, 0o600))
}

// cameras returns the handler of all cameras.
func (t *Trial) cameras() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", t.serveCamera)
	mux.HandleFunc("/clip", t.serveClip)
	mux.HandleFunc("/broken", t.serveBroken)
	mux.HandleFunc("/still.jpg", t.serveShortLength)
	return mux
}

// filePath returns the path of a file in the directory of the trial.
func (t *Trial) filePath(name string) string { return filepath.Join(t.dir, name) }

// Close ends camera and broker and removes the directory.
func (t *Trial) Close() {
	if t.camera != nil {
		t.camera.Close()
	}
	if t.broker != nil {
		t.broker.Close()
	}
	os.RemoveAll(t.dir)
}

// Times of a trial, chosen by hand.
const (
	coreDelay    = time.Second           // for the kernel to write a core file
	stopTimeout  = 20 * time.Second      // for kerb run to stop after SIGTERM
	markInterval = 50 * time.Millisecond // between two searches of the arena
	memoryTries  = 5                     // searches of a process that restarts, a second apart
)

// Run lets kerb run count for the given time and searches the memory of its processes.
// It then ends kerb sense with SIGSEGV, so that the kernel writes a core file if it
// writes any, and ends kerb run with SIGTERM, as systemd does.
func (t *Trial) Run(ctx context.Context, length time.Duration) error {
	kerb := exec.Command("/proc/self/exe", "run", "--site", t.filePath("site.toml"), "--policy", t.filePath("policy.toml"))
	kerb.Dir = t.dir
	kerb.Stdout, kerb.Stderr = &t.Output, &t.Output
	kerb.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := process.NewStarter().Start(kerb); err != nil {
		return err
	}
	defer kerb.Process.Kill()
	select {
	case <-time.After(length):
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
	// A core file would lie in the trial's directory or where core_pattern says
	// (core(5)). SearchMark searches the first; kerb run starts a new kerb sense.
	_ = syscall.Kill(sense, syscall.SIGSEGV)
	time.Sleep(coreDelay)
	_ = kerb.Process.Signal(syscall.SIGTERM)
	overdue := time.AfterFunc(stopTimeout, func() { _ = kerb.Process.Kill() })
	defer overdue.Stop()
	if err := kerb.Wait(); err != nil {
		return fmt.Errorf("the trial's kerb: %w\n%s", err, t.Output.Bytes())
	}
	return ctx.Err()
}

// childrenByRole returns the process numbers of the children of a kerb run by the name
// of their command, for sense followed by that of the camera, and its own as
// "supervisor".
func childrenByRole(pid int) map[string]int {
	all := map[string]int{"supervisor": pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, path := range stats {
		// The parent is the second field after the name (proc_pid_stat(5)).
		b, _ := os.ReadFile(path)
		_, rest, _ := bytes.Cut(b, []byte(") "))
		fields := strings.Fields(string(rest))
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if words := strings.Split(string(args), "\x00"); len(words) > 2 {
			role := words[1]
			if role == "sense" {
				role += " " + words[2]
			}
			all[role], _ = strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	return all
}

// memories are the processes whose memory is searched, as childrenByRole names them. The
// mark must be found in those that see pictures.
var memories = []struct {
	process, place string
	sees           bool
}{
	{"sense canary", "memory of sense", true},
	{"sense clip", "memory of sense with H.264", true},
	{"uplink", "memory of uplink", false},
	{"supervisor", "memory of supervisor", false},
}

// searchProcesses searches the memory of every process of a kerb run, of those that see
// pictures first. A process that has just restarted, as on a slow machine, is tried again
// after a second, five times in all. sense is the process number of the first.
func (t *Trial) searchProcesses(ctx context.Context, kerb int) (sense int, err error) {
	for _, m := range memories {
		var held, all, loose Finding
		if m.sees {
			if held, err = t.waitForMark(ctx, kerb, m.process); err != nil {
				return 0, err
			}
		}
		pid := 0
		for try := range memoryTries {
			if try > 0 {
				time.Sleep(time.Second)
			}
			pid = childrenByRole(kerb)[m.process]
			if all, loose, err = t.searchMemory(m.place, pid); err == nil {
				break
			}
		}
		if err != nil {
			return 0, err
		}
		if m.sees {
			sense = cmp.Or(sense, pid)
			all.addForms(held.Found...)
			t.places = append(t.places, all, loose)
			continue
		}
		t.places = append(t.places, all)
	}
	return sense, nil
}

// markTimeout bounds the wait for a picture in the memory of sense. A picture is there
// only for a part of the time, and a slow machine starts slowly; chosen by hand.
const markTimeout = 2 * time.Minute

// waitForMark searches the arena of a process, the memory that holds pictures, until it
// finds the mark. After markTimeout it returns without it, and the control fails.
func (t *Trial) waitForMark(ctx context.Context, kerb int, process string) (held Finding, err error) {
	overdue := time.Now().Add(markTimeout)
	for ctx.Err() == nil && time.Now().Before(overdue) {
		var m *processMemory
		if m, err = openMemory(childrenByRole(kerb)[process]); errors.Is(err, fs.ErrPermission) {
			return held, nil
		}
		if err == nil {
			for _, b := range m.copyArena() { // copied first, because the search takes longer than a picture stays
				held.searchBytes(t.mark, b)
			}
			m.Close()
			if len(held.Found) > 0 {
				return held, nil
			}
		}
		time.Sleep(markInterval)
	}
	return held, err
}

// searchMemory searches the writable memory of a process. loose is the part that a core
// file would contain. Where the kernel refuses to open the memory, which it allows to
// root and not on every system, both findings have the refusal.
func (t *Trial) searchMemory(place string, pid int) (p, loose Finding, err error) {
	p = Finding{Place: place, Found: []string{}}
	loose = Finding{Place: p.Place + " outside the arena", Found: []string{}}
	m, err := openMemory(pid)
	if errors.Is(err, fs.ErrPermission) {
		p.Refused, loose.Refused = err.Error(), err.Error()
		return p, loose, nil
	}
	if err != nil {
		return p, loose, fmt.Errorf("look into the %s: %w", place, err)
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

// searchBytes adds the forms of the mark that b contains.
func (p *Finding) searchBytes(m *canary.Mark, b []byte) {
	p.Bytes += len(b)
	for part := range nonZeroParts(b) {
		p.addForms(m.FindForms(part)...)
	}
}

// addForms adds forms that are not listed yet.
func (p *Finding) addForms(forms ...string) {
	for _, form := range forms {
		if !slices.Contains(p.Found, form) {
			p.Found = append(p.Found, form)
		}
	}
}

// nonZeroParts yields the parts of b between pages of zeros. A process has many such
// pages that it never wrote, and a mark has none, so they need no search.
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

// maxFileSize is the size in bytes above which a file is not searched; chosen by hand.
const maxFileSize = 256 << 20

// searchFiles searches every regular file below dir that was changed after since, up to
// maxFileSize. It leaves out the directory skip, and files that it cannot read.
func (t *Trial) searchFiles(name, dir string, since time.Time, skip string) (Finding, error) {
	p := Finding{Place: name, Found: []string{}}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if path == dir {
				return err
			}
			return nil // removed meanwhile, or without permission
		}
		if e.IsDir() && path == skip {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil || !e.Type().IsRegular() || info.ModTime().Before(since) || info.Size() > maxFileSize {
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
