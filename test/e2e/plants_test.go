package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A plant is a leak that a programmer could make by mistake, or by intent, put
// into one line of the source.
type plant struct {
	file      string // of the source
	old, leak string
	caught    string      // what kerb prove says; "": the kernel does not let it happen, and nothing is there to find
	leaked    func() bool // for those: whether it happened after all
	root      bool        // only root may look where it is found
}

const arenaMade = "	o.Memory = arena.Bytes\n"

// dump leaks what is in the arena, some times after it was made.
func dump(how string) string {
	return "	o.Memory = func(n int) ([]byte, error) {\n" +
		"		b, err := arena.Bytes(n)\n" +
		"		go func() {\n" +
		"			for range 20 {\n" +
		"				time.Sleep(100 * time.Millisecond)\n" +
		"				pix := b\n" +
		"				" + how + "\n" +
		"			}\n" +
		"		}()\n" +
		"		return b, err\n" +
		"	}\n"
}

func plants(t *testing.T, file string) map[string]plant {
	port, reached := serveRaw(t, func(net.Conn) {})
	return map[string]plant{
		"a picture in a file": {
			file: "agent/sensor/camera.go", old: arenaMade,
			leak: dump(fmt.Sprintf(`_ = os.WriteFile(%q, pix, 0o600)`, file)),
			leaked: func() bool {
				_, err := os.Stat(file)
				return err == nil && os.Remove(file) == nil
			},
		},
		"a picture by the network": {
			file: "agent/sensor/camera.go", old: arenaMade,
			leak:   dump(fmt.Sprintf(`if c, err := net.Dial("tcp", "127.0.0.1:%d"); err == nil { _, _ = c.Write(pix) }`, port)),
			leaked: func() bool { return reached.Swap(0) > 0 },
		},
		"a picture instead of a count": {
			file: "agent/sensor/camera.go", old: arenaMade,
			leak:   dump(`_, _ = os.Stdout.Write(pix)`),
			caught: "pipe: a process said something else than numbers|look into the memory of sense",
		},
		"a copy kept in a goroutine": {
			file: "agent/sensor/camera.go", old: arenaMade,
			leak:   dump(`kept := append([]byte(nil), pix...); defer func() { time.Sleep(time.Hour); _ = kept[0] }()`),
			caught: "canary: in memory of sense outside the arena: pixels", root: true,
		},
		"a core": {
			file: "agent/cage/limit.go", old: "unix.Prctl(unix.PR_SET_DUMPABLE, 0,",
			leak:   "unix.Prctl(unix.PR_SET_DUMPABLE, 1,",
			caught: "walls: sense can leave a core",
		},
		"compressed bytes in the log": {
			file: "drivers/camera/camera.go", old: "func newFormat(src []byte, l Limits) (format, error) {\n",
			leak:   "func newFormat(src []byte, l Limits) (format, error) {\n	fmt.Fprintf(os.Stderr, \"level=INFO msg=%x\\n\", src[:min(len(src), 60)])\n",
			caught: "canary: in what kerb run said: compressed bytes in hex",
		},
		"one more field in a message": {
			file: "agent/uplink/kerbv1.go", old: "`{\"schema\":\"`+schemaCount", leak: "`{\"debug\":\"pixels\",\"schema\":\"`+schemaCount",
			caught: "wire: kerb/v1/kerb/trial/canary/count/canary: .debug is not declared",
		},
	}
}

// A test that has never failed shows nothing: the evidence must tell a kerb
// that leaks from one that does not.
func TestAPlantedLeakIsCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it builds kerb once for each leak")
	}
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range plants(t, filepath.Join(t.TempDir(), "leak")) {
		t.Run(name, func(t *testing.T) {
			if p.root && os.Getuid() != 0 {
				t.Skip("only root may look into another process's memory")
			}
			bin := planted(t, root, p)
			if p.leaked != nil {
				// Without walls, in one process, it does happen.
				leaked := false
				for range 5 { // a busy machine shows few pictures in so short a time
					_ = exec.Command(bin, "demo", "-for", "3s").Run()
					if leaked = p.leaked(); leaked {
						break
					}
				}
				if !leaked {
					t.Error("control: it does not leak even where nothing holds it")
				}
			}
			prove := exec.Command(bin, "prove", "-for", "4s", "-out", filepath.Dir(bin))
			prove.Env = append(os.Environ(), "TMPDIR="+filepath.Dir(bin))
			out, err := prove.CombinedOutput()
			said := string(out)
			if p.leaked != nil {
				if err != nil || p.leaked() {
					t.Errorf("it leaked, or is not itself: %v\n%s", err, said)
				}
				return
			}
			found := false
			for _, want := range strings.Split(p.caught, "|") {
				found = found || strings.Contains(said, want)
			}
			if exit := new(exec.ExitError); !errors.As(err, &exit) || !found {
				t.Errorf("not caught: %v\n%s", err, said)
			}
		})
	}
}

// planted is kerb with one line of its source changed.
func planted(t *testing.T, root string, p plant) (bin string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(root, p.file)
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	if strings.Count(text, p.old) < 1 {
		t.Fatalf("%s does not hold %q", p.file, p.old)
	}
	text = strings.Replace(text, p.old, p.leak, 1)
	for _, needed := range []string{`"os"`, `"net"`} {
		used := strings.Contains(text, strings.Trim(needed, `"`)+".")
		if used && !strings.Contains(text, "\t"+needed+"\n") {
			text = strings.Replace(text, "import (\n", "import (\n\t"+needed+"\n", 1)
		}
	}
	changed := filepath.Join(dir, "changed.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{changed: []byte(text), filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin = filepath.Join(dir, "kerb")
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", bin, "kerb/agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}
