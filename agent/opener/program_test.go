package opener

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/config"
	"kerb/agent/handover"
)

// shell is the source of a command line.
func shell(line string) config.CommandSource {
	return config.CommandSource{Words: []string{"/bin/sh", "-c", line}}
}

// readLines reads the first n lines of a program's output.
func readLines(t *testing.T, f *os.File, n int) (lines []string) {
	t.Helper()
	for in := bufio.NewReader(f); len(lines) < n; {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("line %d: %v", len(lines), err)
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// newFIFO makes a FIFO at which a program waits, and returns its path.
func newFIFO(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeFIFO writes to a FIFO and keeps it open until the end of the test. It does
// not wait for a reader, because one that writes and reads (O_RDWR) is its own.
func writeFIFO(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestAProgramGetsNoSecretFromTheEnvironment(t *testing.T) {
	path, err := exec.LookPath("env")
	if err != nil {
		t.Skip(err)
	}
	t.Setenv("KERB_TEST_SECRET", "hush")
	if out, err := exec.Command(path).Output(); err != nil || !strings.Contains(string(out), "KERB_TEST_SECRET=hush") {
		t.Fatalf("control: a program with this environment does not see the secret: %v", err)
	}
	out, err := io.ReadAll(openOne(t, newOpener(t, config.CommandSource{Words: []string{path}}, io.Discard), handover.RequestCamera))
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(strings.TrimSpace(string(out)), "\n"), []string{"HOME=/", "LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the environment is %q", got)
	}
}

func TestAProgramWorksInTheRootFolderWithoutInput(t *testing.T) {
	out, err := io.ReadAll(openOne(t, newOpener(t, shell("pwd; cat; echo end"), io.Discard), handover.RequestCamera))
	if string(out) != "/\nend\n" || err != nil {
		t.Errorf("read %q, %v", out, err)
	}
}

func TestTheReasonOfAProgramReachesTheLogWithItsName(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	openOne(t, newOpener(t, shell("echo lens dirty, permission denied >&2"), w), handover.RequestCamera)
	if line, err := bufio.NewReader(r).ReadString('\n'); !strings.HasSuffix(line, ` msg="kerb: the program says: permission denied" from="sh gate"`+"\n") || err != nil {
		t.Errorf("the line is %q, %v", line, err)
	}
}

// The limits hold when the program begins: the first that it does is to ask for them.
func TestAProgramCanNeitherWriteAFileNorDumpCore(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	ask := "ulimit -Sf; ulimit -Hf; ulimit -Sc; ulimit -Hc; (echo picture >" + target + ") 2>/dev/null; echo end"
	out, err := exec.Command("/bin/sh", "-c", ask).Output()
	if err != nil {
		t.Fatal(err)
	}
	if before := strings.Fields(string(out)); before[0] == "0" {
		t.Skip("the limit of files is 0 in this test already")
	}
	if text, err := os.ReadFile(target); string(text) != "picture\n" || err != nil {
		t.Fatalf("control: without the opener the program wrote %q, %v", text, err)
	}
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(openOne(t, newOpener(t, shell(ask), io.Discard), handover.RequestCamera))
	if string(got) != "0\n0\n0\n0\nend\n" || err != nil {
		t.Errorf("the limits are %q, %v", got, err)
	}
	if text, err := os.ReadFile(target); len(text) > 0 {
		t.Errorf("the program wrote %q, %v", text, err)
	}
}

// The output ends only when each process that holds it has ended: the program, its
// child and its grandchild.
func TestAProgramAndItsChildProcessesAreKilled(t *testing.T) {
	const line = "(sleep 1000 & echo $!; wait) & echo $$; echo $!; wait"
	for name, kill := range map[string]func(*testing.T, *Opener){
		"by Close":            func(_ *testing.T, o *Opener) { o.Close() },
		"by the next request": func(t *testing.T, o *Opener) { readLines(t, openOne(t, o, handover.RequestCamera), 3) },
		"by a signal":         func(_ *testing.T, o *Opener) { o.Signal(handover.RequestCamera, syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOpener(t, shell(line), io.Discard)
			f := openOne(t, o, handover.RequestCamera)
			for _, pid := range readLines(t, f, 3) {
				if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err != nil || strings.Contains(string(stat), ") Z ") {
					t.Errorf("control: process %s does not run: %q, %v", pid, stat, err)
				}
			}
			kill(t, o)
			if rest, err := io.ReadAll(f); err != nil {
				t.Errorf("the output did not end: %q, %v", rest, err)
			}
		})
	}
}

// A request that another program answers leaves the camera's program running.
func TestARequestLeavesTheProgramsOfOthersRunning(t *testing.T) {
	gate := newFIFO(t)
	o := newOpener(t, shell("read word <"+gate+"; echo $word"), io.Discard)
	f := openOne(t, o, handover.RequestCamera)
	o.stopProgram(handover.RequestHEVC)
	writeFIFO(t, gate, "alive\n")
	if got, err := io.ReadAll(f); string(got) != "alive\n" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestADecoderReadsItsInputAndEndsWithIt(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip(err)
	}
	o := newOpener(t, config.RTSPSource{FFmpeg: true}, io.Discard)
	files, err := o.OpenFiles(t.Context(), handover.RequestHEVC)
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	in, out := files[0], files[1]
	defer out.Close()
	_ = out.SetReadDeadline(time.Now().Add(hangLimit))
	_, err = in.WriteString("no picture")
	if err := errors.Join(err, in.Close()); err != nil {
		t.Errorf("its input: %v", err)
	}
	if got, err := io.ReadAll(out); len(got) > 0 || err != nil {
		t.Errorf("its output: %q, %v", got, err)
	}
}
