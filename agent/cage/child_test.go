package cage

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// The test binary starts itself again as the process to be caged: a cage cannot be
// removed.
const childEnv = "KERB_CAGE_CHILD"

func TestMain(m *testing.M) {
	role := os.Getenv(childEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	live, ok := children[role]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such child:", role)
		os.Exit(2)
	}
	var o outcome
	if err := live(&o); err != nil {
		o.Err = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// outcome is the result that a child prints for its parent.
type outcome struct {
	Report    Report // of Apply
	Again     Report // of Try, after the work
	Sum       []byte // of the bytes that the pipe brought
	Locked    string // what the arena says of its lock
	LockedKiB []int  // VmLck: see fillLockedMemory
	Err       string
}

var children = map[string]func(*outcome) error{
	"free":       func(o *outcome) error { o.Again = MeasureWalls(Sense()); return nil },
	"limits":     printLimits,
	"sense":      liveAsSense,
	"memory":     liveWithLittleMemory,
	"uplink":     liveAsUplink,
	"database":   liveWithADatabase,
	"supervisor": liveAsSupervisor,
	"foreign":    liveAsForeigner,
	"crash":      func(*outcome) error { panicNow(); return nil },
	"caged crash": func(o *outcome) (err error) {
		if o.Report, err = Sense().Apply(); err == nil {
			panicNow()
		}
		return err
	},
	"twice": func(o *outcome) (err error) {
		if o.Report, err = Sense().Apply(); err != nil {
			return fmt.Errorf("the first time: %w", err)
		}
		_, err = Sense().Apply()
		return err
	},
	"caged and waiting": func(o *outcome) (err error) {
		if o.Report, err = Sense().Apply(); err == nil {
			waitForEnd()
		}
		return err
	},
	"open": func(*outcome) error {
		f, err := os.Open(os.Getenv("KERB_CAGE_READ"))
		if err != nil {
			os.Exit(1)
		}
		return f.Close()
	},
	"access point": liveAsAccessPoint,
	"unswapped":    fillLockedMemory,
	"waiting":      func(*outcome) error { waitForEnd(); return nil },
}

// waitForEnd prints that the process runs, and waits until the pipe is closed.
func waitForEnd() {
	fmt.Println("here")
	_, _ = io.Copy(io.Discard, os.NewFile(3, "pipe"))
}

// fillLockedMemory measures the wall against swapping, and how much memory is locked
// before it, after it, and after a heap has grown and was given back.
func fillLockedMemory(o *outcome) error {
	locked := func() (kb int) {
		status, _ := os.ReadFile("/proc/self/status")
		_, after, _ := strings.Cut(string(status), "VmLck:")
		_, _ = fmt.Sscan(after, &kb)
		return kb
	}
	o.LockedKiB = append(o.LockedKiB, locked())
	o.Report.Walls = []Wall{measureSwap(Sense().makePlan())}
	o.LockedKiB = append(o.LockedKiB, locked())
	for range 3 {
		heap := bytes.Repeat([]byte{1}, 32<<20)
		o.LockedKiB = append(o.LockedKiB, locked())
		runtime.KeepAlive(heap)
		debug.FreeOSMemory()
	}
	return nil
}

func panicNow() {
	debug.SetTraceback("crash")
	panic("as asked")
}

// liveAsSense does what the counting process does: reads a pipe, decodes,
// allocates, starts goroutines and threads, waits for timers, survives a panic.
func liveAsSense(o *outcome) (err error) {
	pipe := os.NewFile(3, "pictures")
	if o.Report, err = Sense().Handover().Memory(1 << 30).Apply(); err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, pipe); err != nil {
		return fmt.Errorf("read the pipe: %w", err)
	}
	o.Sum = hash.Sum(nil)
	if err := useRuntime(); err != nil {
		return err
	}
	arena, err := NewBlock(2 << 20)
	if err != nil {
		return err
	}
	defer arena.Close()
	copy(arena.Bytes(), "pixels")
	if err := arena.LockError(); err != nil {
		o.Locked = err.Error()
	}
	o.Again = MeasureWalls(Sense().Handover())
	return nil
}

func useRuntime() error {
	var asked unix.Timex // no modes: only asks
	if _, err := unix.Adjtimex(&asked); err != nil {
		return fmt.Errorf("ask for the clock's state: %w", err)
	}
	asked.Modes = 0x10 // ADJ_STATUS, to what it is already
	if _, err := unix.Adjtimex(&asked); err != unix.EPERM {
		return fmt.Errorf("set the clock's state: %v", err)
	}
	var group sync.WaitGroup
	sizes := make(chan int, 64)
	for i := range 64 {
		group.Go(func() {
			runtime.LockOSThread() // a new thread for each
			defer func() { _ = recover() }()
			time.Sleep(time.Millisecond)
			var b bytes.Buffer
			if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 160, 120)), nil); err != nil {
				return
			}
			if _, err := jpeg.Decode(&b); err != nil {
				return
			}
			junk := make([]byte, 1<<20)
			_, _ = rand.Read(junk[:64])
			sizes <- len(junk)
			if i%2 == 0 {
				panic("one picture")
			}
		})
	}
	group.Wait()
	for range 3 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	if len(sizes) != 64 {
		return fmt.Errorf("%d of 64 goroutines did their work", len(sizes))
	}
	select {
	case <-time.NewTicker(time.Millisecond).C:
	case <-time.After(5 * time.Second):
		return errors.New("the ticker does not tick")
	}
	_ = time.Now().Local().Format(time.RFC3339)
	return nil
}

// liveWithLittleMemory asks for more than it was left.
func liveWithLittleMemory(o *outcome) (err error) {
	if o.Report, err = Sense().Memory(256 << 20).Apply(); err != nil {
		return err
	}
	m := make([]byte, 1<<30)
	o.Locked = fmt.Sprint(len(m))
	return nil
}

// liveAsUplink keeps a database and speaks TLS with the parent over a connection that
// was open before the walls, as the supervisor hands one over.
func liveAsUplink(o *outcome) (err error) {
	dir := os.Getenv("KERB_CAGE_STATE")
	db, err := bolt.Open(filepath.Join(dir, "spool"), 0o600, nil)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", os.Getenv("KERB_CAGE_TLS"))
	if err != nil {
		return err
	}
	defer conn.Close()
	role := Uplink().State(dir)
	if o.Report, err = role.Apply(); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return keepDatabase(db, dir) },
		func() error { return speakTLS(conn, os.Getenv("KERB_CAGE_CERT")) },
		func() error { return failToDial(os.Getenv("KERB_CAGE_TLS")) },
		useRuntime,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	o.Again = MeasureWalls(role)
	return nil
}

// failToDial returns an error unless a second connection, a name server and the
// resolver's files are out of reach.
func failToDial(address string) error {
	for network, to := range map[string]string{"tcp": address, "udp": "127.0.0.1:53"} {
		if c, err := net.Dial(network, to); err == nil {
			c.Close()
			return fmt.Errorf("it connects to %s by %s", to, network)
		}
	}
	for _, path := range []string{"/etc/resolv.conf", "/etc/hosts", "/etc/passwd"} {
		if _, err := os.ReadFile(path); err == nil {
			return fmt.Errorf("it reads %s", path)
		}
	}
	return nil
}

// liveWithADatabase opens it first and nothing after.
func liveWithADatabase(o *outcome) (err error) {
	db, err := bolt.Open(filepath.Join(os.Getenv("KERB_CAGE_STATE"), "spool"), 0o600, nil)
	if err != nil {
		return err
	}
	role := Uplink().Database()
	if o.Report, err = role.Apply(); err != nil {
		return err
	}
	if err := errors.Join(fillDatabase(db), db.Close()); err != nil {
		return err
	}
	o.Again = MeasureWalls(role)
	return nil
}

func fillDatabase(db *bolt.DB) error {
	for i := range 50 {
		err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("windows"))
			if err != nil {
				return err
			}
			return b.Put(fmt.Append(nil, i), make([]byte, 10_000))
		})
		if err != nil {
			return fmt.Errorf("write the database: %w", err)
		}
	}
	return nil
}

func keepDatabase(db *bolt.DB, dir string) error {
	if err := fillDatabase(db); err != nil {
		return err
	}
	fresh, err := bolt.Open(filepath.Join(dir, "compacting"), 0o600, nil)
	if err != nil {
		return fmt.Errorf("a second database: %w", err)
	}
	if err := bolt.Compact(fresh, db, 1<<16); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	if err := errors.Join(fresh.Close(), db.Close()); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "compacting"), filepath.Join(dir, "spool")); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return err
	}
	if db, err = bolt.Open(filepath.Join(dir, "spool"), 0o600, nil); err != nil {
		return fmt.Errorf("open it again: %w", err)
	}
	return errors.Join(db.Close(), os.Remove(filepath.Join(dir, "spool")))
}

func speakTLS(conn net.Conn, cert string) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(cert)) {
		return errors.New("no certificate")
	}
	c := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "example.com"})
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\nHost: example.com\r\n\r\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if err != nil || !bytes.HasSuffix(answer, []byte("counted")) {
		return fmt.Errorf("TLS server said %q, %w", answer, err)
	}
	return nil
}

// liveAsSupervisor starts a sense process from inside its own cage.
func liveAsSupervisor(o *outcome) (err error) {
	if o.Report, err = Supervisor().Apply(); err != nil {
		return err
	}
	o.Again = MeasureWalls(Supervisor())
	if err := useRuntime(); err != nil {
		return err
	}
	c, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer c.Close()
	sense := exec.Command("/proc/self/exe")
	sense.Env = append(os.Environ(), childEnv+"=sense")
	sense.ExtraFiles = []*os.File{os.NewFile(3, "pictures")}
	var out, complaint bytes.Buffer
	sense.Stdout, sense.Stderr = &out, &complaint
	if err := sense.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, &complaint)
	}
	var inner outcome
	if err := json.Unmarshal(out.Bytes(), &inner); err != nil {
		return err
	}
	o.Sum = inner.Sum
	if inner.Err != "" {
		return errors.New("its sense: " + inner.Err)
	}
	return inner.Report.Strict()
}

// liveAsForeigner loads a filter for another machine, which the kernel applies
// to a call through another architecture's entry.
func liveAsForeigner(o *outcome) error {
	other := machines[(1+indexOf(runtime.GOARCH))%len(machines)]
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	loaded, err := loadFilter(assembleFilter(other, living, uint32(unix.Getpid())))
	o.Locked = strconv.FormatBool(loaded)
	return err
}

func indexOf(name string) int {
	for i, m := range machines {
		if strings.EqualFold(m.name, name) {
			return i
		}
	}
	return 0
}
