package opener

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/agent/process"
)

// TestMain runs the two other programs of these tests in the test binary: kerb decode,
// and the decoder that has been taken over.
func TestMain(m *testing.M) {
	switch {
	case os.Args[0] == "kerb" && os.Args[1] == "decode":
		fmt.Fprintln(os.Stderr, cage.ExecDecoder(os.Args[3:])) // after decode --
		os.Exit(1)
	case filepath.Base(os.Args[0]) == "ffmpeg":
		beHostile()
	case os.Args[0] == "kerb-user":
		openAsUser(os.Args[1], os.Args[2])
	case os.Args[0] == "true":
		fmt.Println("run itself again: done\nend")
	default:
		os.Exit(m.Run())
	}
}

// hostile is what the taken-over decoder is told: where the things are that it must
// not reach. Its input is one JSON object, in place of a stream.
type hostile struct {
	Secrets    []string // files to read
	Dir        string   // the state directory
	TCP, UDP   string   // addresses
	Socket     string   // aim.sock
	Processes  []int    // whose memory to open
	Supervisor int      // to signal
}

// beHostile tries what findings of a review list and prints one line for each attempt:
// its name, and "refused" or "done". A stream in place of its input makes it try the
// packaged kerb (packagedTarget).
func beHostile() {
	in := bufio.NewReader(os.Stdin)
	if first, err := in.Peek(1); err != nil || first[0] != '{' {
		bePackagedHostile()
		return
	}
	text, err := io.ReadAll(in)
	var h hostile
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err != nil {
		fmt.Println("told nothing:", err)
		os.Exit(1)
	}
	h.tryAll(func(name string, err error) {
		verdict := "done"
		if err != nil {
			verdict = "refused"
		}
		fmt.Printf("%s: %s\n", name, verdict)
	})
	fmt.Println("end")
}

// tryAll makes all attempts and gives the name and the error of each to try.
func (h hostile) tryAll(try func(name string, err error)) {
	for _, path := range h.Secrets {
		_, err := os.ReadFile(path)
		try("read "+filepath.Base(path), err)
	}
	for _, path := range []string{"/etc/passwd", "/proc/self/environ", "/proc/1/cmdline"} {
		_, err := os.ReadFile(path)
		try("read "+path, err)
	}
	all, err := net.Interfaces()
	if len(all) == 0 {
		err = errors.Join(err, errors.New("none"))
	}
	try("list interfaces", err)
	_, err = net.Dial("tcp", h.TCP)
	try("connect by TCP", err)
	u, err := net.Dial("udp", h.UDP)
	if err == nil {
		_, err = u.Write([]byte("x"))
	}
	try("send by UDP", err)
	try("plant a link", os.Symlink("/etc/passwd", filepath.Join(h.Dir, "planted")))
	try("rename", os.Rename(h.Secrets[0], h.Secrets[0]+"2"))
	try("write a file", os.WriteFile(filepath.Join(h.Dir, "written"), []byte("picture"), 0o600))
	err = errors.New("no process")
	for _, pid := range h.Processes {
		f, failed := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if failed == nil {
			f.Close()
			err = nil
		}
	}
	try("open the memory of a process", err)
	_, err = net.Dial("unix", h.Socket)
	try("connect to aim.sock", err)
	try("run a shell", exec.Command("/bin/sh", "-c", "exit 0").Run())
	try("signal the supervisor", unix.Kill(h.Supervisor, 0))
	var core unix.Rlimit
	err = unix.Getrlimit(unix.RLIMIT_FSIZE, &core)
	if err == nil && core.Cur == 0 {
		err = errors.New("0")
	}
	try("be allowed to write", err)
	if len(os.Environ()) == 0 {
		err = errors.New("none")
	} else {
		err = nil
	}
	try("see an environment", err)
	try("run itself again", syscall.Exec("/proc/self/exe", []string{"true"}, nil)) // does not return otherwise
}

// runStandIn runs the decoder in folder bin, which is told h, without walls and as the
// opener starts it, and returns the lines of both.
func runStandIn(bin string, h hostile) (free, walled string, err error) {
	told, err := json.Marshal(h)
	if err != nil {
		return "", "", err
	}
	control := exec.Command(filepath.Join(bin, "ffmpeg"))
	control.Stdin = bytes.NewReader(told)
	out, err := control.CombinedOutput()
	if err != nil {
		return "", "", fmt.Errorf("control: %w: %s", err, out)
	}
	_ = os.Rename(h.Secrets[0]+"2", h.Secrets[0])
	for _, name := range []string{"planted", "written"} {
		_ = os.Remove(filepath.Join(h.Dir, name))
	}
	s := process.NewStarter()
	defer close(s)
	o := New(config.Camera{Name: "gate", Source: config.RTSPSource{FFmpeg: true}}, 640*480, s.Start, os.Stderr, slog.New(slog.DiscardHandler))
	defer o.Close()
	files, err := o.OpenFiles(context.Background(), handover.RequestHEVC)
	if err != nil {
		return "", "", err
	}
	in, pictures := files[0], files[1]
	defer pictures.Close()
	_, err = in.Write(told)
	if err := errors.Join(err, in.Close()); err != nil {
		return "", "", err
	}
	_ = pictures.SetReadDeadline(time.Now().Add(hangLimit))
	lines, err := io.ReadAll(pictures)
	return string(out), string(lines), err
}

// openAsUser is runStandIn in a process of another user. It refuses namespaces first, as
// systemd's RestrictNamespaces=yes does.
func openAsUser(bin, told string) {
	var h hostile
	err := json.Unmarshal([]byte(told), &h)
	if err == nil {
		err = refuseNamespaces()
	}
	if err == nil {
		os.Setenv("PATH", bin)
		h.Processes, h.Supervisor = []int{os.Getpid()}, os.Getpid()
		var free, walled string
		free, walled, err = runStandIn(bin, h)
		fmt.Print(free, "----\n", walled)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// refuseNamespaces loads a filter that refuses clone with a namespace, unshare and
// clone3 (as a kernel without it) on all threads.
func refuseNamespaces() error {
	const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	jump := func(how uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | how | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	give := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	filter := []unix.SockFilter{
		load(0),
		jump(unix.BPF_JEQ, unix.SYS_CLONE, 0, 3), load(16), jump(unix.BPF_JSET, namespaces, 0, 1), give(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)),
		load(0),
		jump(unix.BPF_JEQ, unix.SYS_UNSHARE, 0, 1), give(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)),
		jump(unix.BPF_JEQ, unix.SYS_CLONE3, 0, 1), give(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)),
		give(unix.SECCOMP_RET_ALLOW),
	}
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return errno
	}
	if err := unix.Unshare(0); err != unix.EPERM {
		return fmt.Errorf("control: unshare: %v", err)
	}
	return nil
}

// newTarget makes everything that a taken-over decoder would like to reach, for a user,
// and a folder with the stand-in as ffmpeg, both where that user can get.
func newTarget(t *testing.T, user int) (bin string, h hostile) {
	t.Helper()
	dir := t.TempDir()
	bin, h.Dir = filepath.Join(dir, "bin"), filepath.Join(dir, "state")
	self, err := os.ReadFile("/proc/self/exe")
	if err := errors.Join(err, os.Chmod(filepath.Dir(dir), 0o755), os.Mkdir(bin, 0o755), os.Mkdir(h.Dir, 0o700),
		os.WriteFile(filepath.Join(bin, "ffmpeg"), self, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"broker.pw", "camera.pw", "site.toml", "spool.db"} {
		path := filepath.Join(h.Dir, name)
		if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		h.Secrets = append(h.Secrets, path)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.Socket = filepath.Join(h.Dir, "aim.sock")
	aim, err := net.Listen("unix", h.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); u.Close(); aim.Close() })
	h.TCP, h.UDP = l.Addr().String(), u.LocalAddr().String()
	err = filepath.WalkDir(h.Dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, user, user))
	})
	if err != nil {
		t.Fatal(err)
	}
	return bin, h
}

// A decoder that a hostile stream has taken over is refused everything that it could do
// without walls: as the user of this test, and as an ordinary user on whom the system
// has put RestrictNamespaces=yes, as the shipped unit does.
func TestATakenOverDecoderIsRefusedEverything(t *testing.T) {
	needNoCgo(t)
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("the filter of this test is for 64-bit machines")
	}
	t.Run("as this user", func(t *testing.T) {
		bin, h := newTarget(t, os.Getuid())
		t.Setenv("PATH", bin)
		h.Processes, h.Supervisor = []int{os.Getpid(), os.Getppid()}, os.Getpid()
		free, walled, err := runStandIn(bin, h)
		if err != nil {
			t.Fatal(err)
		}
		compareAttempts(t, free, walled)
	})
	t.Run("as an ordinary user without namespaces", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("only root can become another user")
		}
		const nobody = 65534
		bin, h := newTarget(t, nobody)
		told, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(filepath.Join(bin, "ffmpeg"), bin, string(told))
		cmd.Args[0], cmd.Dir = "kerb-user", "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, complaint.Bytes())
		}
		free, walled, _ := strings.Cut(string(out), "----\n")
		compareAttempts(t, free, walled)
	})
}

// needNoCgo skips a test that puts up walls: they need a program without cgo.
func needNoCgo(t *testing.T) {
	t.Helper()
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0); errno != 0 {
		t.Skip("built with cgo: the walls are for programs without")
	}
}

// ffmpeg works within the walls: its pictures are those that it makes without.
func TestADecoderMakesTheSamePicturesWithinItsWalls(t *testing.T) {
	needNoCgo(t)
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed")
	}
	stream, err := exec.Command(ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=192x128:r=10", "-frames:v", "12",
		"-c:v", "libx265", "-x265-params", "log-level=none:bframes=0", "-f", "hevc", "-").Output()
	if err != nil {
		t.Skip("this ffmpeg encodes no H.265: ", err)
	}
	control := exec.Command(ffmpeg, decoderArgs(0, 640*480)...)
	control.Stdin = bytes.NewReader(stream)
	want, err := control.Output()
	if err != nil || len(want) < 10*192*128 {
		t.Fatalf("control: %d bytes, %v", len(want), err)
	}
	o := newOpener(t, config.RTSPSource{FFmpeg: true}, t.Output())
	files, err := o.OpenFiles(t.Context(), handover.RequestHEVC)
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	defer files[1].Close()
	go func() { // ends with the decoder, which reads all
		_, _ = files[0].Write(stream)
		files[0].Close()
	}()
	_ = files[1].SetReadDeadline(time.Now().Add(hangLimit))
	if got, err := io.ReadAll(files[1]); !bytes.Equal(got, want) || err != nil {
		t.Errorf("%d bytes, without walls %d: %v", len(got), len(want), err)
	}
}

// compareAttempts checks that each attempt succeeds without walls and is refused within.
func compareAttempts(t *testing.T, free, walled string) {
	t.Helper()
	t.Logf("without walls:\n%s\nwithin:\n%s", free, walled)
	before, within := strings.Split(strings.TrimSpace(free), "\n"), strings.Split(strings.TrimSpace(walled), "\n")
	if len(before) != len(within) || len(within) < 15 || within[len(within)-1] != "end" {
		t.Fatalf("%d and %d attempts", len(before), len(within))
	}
	for i, line := range within[:len(within)-1] {
		name, verdict, _ := strings.Cut(line, ": ")
		if verdict != "refused" {
			t.Errorf("a taken-over decoder may %s", name)
		}
		if before[i] != name+": done" {
			t.Errorf("control: without walls: %s", before[i])
		}
	}
}
