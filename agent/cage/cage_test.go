package cage

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const nobody = 65534

// emulator is the program that runs other machines' tests, such as qemu-arm-static.
// It supports no seccomp filter. That case is tested then: the other walls are put
// up, and the report names the missing one.
var emulator = os.Getenv("KERB_EMULATOR")

// users are who the children run as: root is told apart, since the kernel
// refuses an ordinary user much by itself.
func users(t *testing.T, test func(t *testing.T, user int)) {
	t.Helper()
	if withCgo {
		t.Skip("built with cgo: the cage is for programs without")
	}
	t.Run(fmt.Sprint("as user ", os.Getuid()), func(t *testing.T) { test(t, os.Getuid()) })
	if os.Getuid() == 0 {
		t.Run("as nobody", func(t *testing.T) { test(t, nobody) })
	}
}

// child is the test binary in a role. The binary lies where other users may not
// read, so it is handed over as a descriptor and started from that.
func child(t *testing.T, role string, user int, env ...string) (*exec.Cmd, *os.File) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { self.Close() })
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	cmd := exec.CommandContext(ctx, "/proc/self/fd/4")
	if emulator != "" {
		cmd = exec.CommandContext(ctx, emulator, "/proc/self/fd/4")
	}
	cmd.ExtraFiles = []*os.File{r, self}
	cmd.Env = append([]string{childEnv + "=" + role, "TMPDIR=" + os.TempDir()}, env...)
	cmd.Dir = "/"
	if user != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	}
	return cmd, w
}

func run(t *testing.T, cmd *exec.Cmd) (o outcome) {
	t.Helper()
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, lastLines(complaint.String()))
	}
	if err := json.Unmarshal(out.Bytes(), &o); err != nil {
		t.Fatalf("%v: %q\n%s", err, lastLines(out.String()), lastLines(complaint.String()))
	}
	if o.Err != "" {
		t.Fatalf("%s\n%s", o.Err, o.Report)
	}
	return o
}

func lastLines(s string) string { return s[max(0, len(s)-4000):] }

// checkStrict checks a report; on a kernel without the walls, that it says so.
func checkStrict(t *testing.T, r Report) {
	t.Helper()
	t.Log("\n" + r.String())
	err := r.Strict()
	for _, w := range r.Walls {
		if w.Name == "run without a filter" && !w.Holds {
			if err == nil {
				t.Error("without a filter, Strict is content")
			}
			t.Skip("this kernel takes no seccomp filter: ", w.How)
		}
	}
	if r.Role == "uplink" && r.Landlock < 1 {
		if err == nil {
			t.Error("without Landlock, Strict is content")
		}
		t.Skip("this kernel has Landlock ABI ", r.Landlock)
	}
	if err != nil {
		t.Error(err)
	}
}

// The control: without a cage each attempt succeeds, unless the kernel or the user's
// rights refuse it.
func TestWithoutACageEveryAttemptGoesThrough(t *testing.T) {
	users(t, func(t *testing.T, user int) {
		cmd, _ := child(t, "free", user)
		o := run(t, cmd)
		for _, w := range o.Again.Walls {
			if w.Holds && !refusedAnyway(w, user) {
				t.Errorf("%s is refused to a free process: %s %s", w.Name, w.How, w.Errno)
			}
		}
		if o.Again.Strict() == nil {
			t.Error("Strict is content with no cage at all")
		}
		t.Log("\n" + o.Again.String())
	})
}

// refusedAnyway reports attempts that a kernel may refuse without a cage: it
// was built or set up without the feature, or refuses it to an ordinary user.
func refusedAnyway(w Wall, user int) bool {
	switch w.Name {
	case "leave a core", "gain privileges by starting a program", "make a file longer":
		return true // the limits a test is started with are not ours
	case "open a Multipath TCP socket", "open a TCP socket over IPv6":
		return w.Errno == "EPROTONOSUPPORT" || w.Errno == "EAFNOSUPPORT"
	case "use io_uring", "load a BPF program", "handle page faults", "watch performance events": // sysctls
		return w.Errno == "EPERM" || w.Errno == "EACCES" || w.Errno == "ENOSYS"
	case "mount", "set the clock":
		return user != 0
	}
	return w.Errno == "ENOSYS"
}

func TestSenseWorksAndCanDoNothingElse(t *testing.T) {
	users(t, func(t *testing.T, user int) {
		cmd, pipe := child(t, "sense", user)
		pictures := make([]byte, 5<<20)
		_, _ = rand.Read(pictures)
		go func() {
			_, _ = pipe.Write(pictures)
			pipe.Close()
		}()
		o := run(t, cmd)
		if want := sha256.Sum256(pictures); !bytes.Equal(o.Sum, want[:]) {
			t.Error("what came out of the pipe is not what went in")
		}
		if o.Locked != "" {
			t.Log(o.Locked)
		}
		checkStrict(t, o.Report)
		o.Again.Landlock = o.Report.Landlock // the filter covers the question
		checkStrict(t, o.Again)
	})
}

func TestUplinkWorksAndCanDoNothingElse(t *testing.T) {
	users(t, func(t *testing.T, user int) {
		cmd, _ := child(t, "uplink", user, append(broker(t), "KERB_CAGE_STATE="+stateFor(t, user))...)
		o := run(t, cmd)
		checkStrict(t, o.Report)
		o.Again.Landlock = o.Report.Landlock // the filter covers the question
		checkStrict(t, o.Again)
	})
}

func TestUplinkKeepsADatabaseThatIsOpenAndOpensNothing(t *testing.T) {
	users(t, func(t *testing.T, user int) {
		cmd, _ := child(t, "database", user, "KERB_CAGE_STATE="+stateFor(t, user))
		o := run(t, cmd)
		checkStrict(t, o.Report)
		o.Again.Landlock = o.Report.Landlock
		checkStrict(t, o.Again)
	})
}

// broker is a TLS server, as the uplink's environment.
func broker(t *testing.T) []string {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "counted")
	}))
	t.Cleanup(server.Close)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return []string{"KERB_CAGE_TLS=" + server.Listener.Addr().String(), "KERB_CAGE_CERT=" + string(cert)}
}

func stateFor(t *testing.T, user int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kerb-cage")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if user != os.Getuid() {
		if err := os.Chown(dir, user, user); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSupervisorStartsASenseAndGivesUpTheWorst(t *testing.T) {
	users(t, func(t *testing.T, user int) {
		cmd, pipe := child(t, "supervisor", user)
		pipe.Close()
		if emulator != "" {
			t.Skip("an emulated program cannot start itself")
		}
		o := run(t, cmd)
		checkStrict(t, o.Report)
		o.Again.Landlock = o.Report.Landlock // the filter covers the question
		checkStrict(t, o.Again)
	})
}

func TestACagedCrashLeavesNoCore(t *testing.T) {
	if pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern"); err != nil || bytes.ContainsAny(pattern[:1], "|/") {
		t.Skipf("cores go elsewhere here: %s %v", pattern, err)
	}
	users(t, func(t *testing.T, user int) {
		for role, dumps := range map[string]bool{"crash": true, "caged crash": false} {
			cmd, _ := child(t, role, user, "GOTRACEBACK=crash")
			cmd.Dir = stateFor(t, user)
			var was unix.Rlimit
			_ = unix.Getrlimit(unix.RLIMIT_CORE, &was)
			if was.Max == 0 || emulator != "" {
				t.Skip("no cores here")
			}
			_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: was.Max, Max: was.Max})
			err := cmd.Run()
			_ = unix.Setrlimit(unix.RLIMIT_CORE, &was)
			if err == nil {
				t.Fatal("it did not crash")
			}
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			left, _ := os.ReadDir(cmd.Dir)
			if status.CoreDump() != dumps || len(left) > 0 != dumps {
				t.Errorf("%s: %v, core dumped %v, files %v", role, err, status.CoreDump(), left)
			}
		}
	})
}

func TestACagedProcessIsClosedToItsOwnUser(t *testing.T) {
	if withCgo || os.Getuid() != 0 {
		t.Skip("needs root to become another user, and no cgo")
	}
	for role, open := range map[string]bool{"waiting": true, "caged and waiting": false} {
		cmd, _ := child(t, role, nobody)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		here := make([]byte, 5)
		if _, err := io.ReadFull(out, here); err != nil {
			t.Fatal(err)
		}
		if got := readableBy(t, nobody, fmt.Sprintf("/proc/%d/mem", cmd.Process.Pid)); got != open {
			t.Errorf("%s: its memory can be opened by its own user: %v, want %v", role, got, open)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// readableBy opens a file as another user, on a thread of its own.
func readableBy(t *testing.T, user int, path string) bool {
	t.Helper()
	cmd, _ := child(t, "open", user)
	cmd.Env = append(cmd.Env, "KERB_CAGE_READ="+path)
	cmd.Stderr = os.Stderr
	return cmd.Run() == nil
}

// The limit refuses to write to it, but the descriptor is a mistake of the parent and
// must be reported.
func TestAFileLeftOpenIsReported(t *testing.T) {
	users(t, func(t *testing.T, user int) {
		cmd, pipe := child(t, "sense", user)
		pipe.Close()
		left, err := os.Create(filepath.Join(t.TempDir(), "left"))
		if err != nil {
			t.Fatal(err)
		}
		defer left.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, left)
		if err := run(t, cmd).Report.Strict(); err == nil || !strings.Contains(err.Error(), "descriptor 5 can be written") {
			t.Errorf("a file was left open, and Strict says %v", err)
		}
	})
}

func TestAnotherMachinesCallsKill(t *testing.T) {
	users(t, func(t *testing.T, user int) {
		cmd, _ := child(t, "foreign", user)
		out, err := cmd.Output()
		if err == nil && strings.Contains(string(out), `"Locked":"false"`) {
			t.Skip("this kernel takes no seccomp filter")
		}
		status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !status.Signaled() || status.Signal() != unix.SIGSYS {
			t.Errorf("%v, want death by SIGSYS: %s", err, out)
		}
	})
}

func TestMemoryIsLimited(t *testing.T) {
	if emulator != "" {
		t.Skip("an emulator does not keep the limit")
	}
	users(t, func(t *testing.T, user int) {
		cmd, _ := child(t, "memory", user)
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err == nil || !strings.Contains(complaint.String(), "out of memory") {
			t.Errorf("%v: %s %s", err, lastLines(string(out)), lastLines(complaint.String()))
		}
	})
}

func TestASecondCageIsRefusedInWords(t *testing.T) {
	users(t, func(t *testing.T, user int) {
		cmd, _ := child(t, "twice", user)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var o outcome
		if err := json.Unmarshal(out, &o); err != nil {
			t.Fatal(err)
		}
		if o.Report.Strict() == nil && !strings.Contains(o.Err, "caged already") {
			t.Errorf("the second time: %q", o.Err)
		}
	})
}
