// Package image boots kerb's SD-card image in a virtual machine (qemu, arm64)
// and does to it what happens to a card: files written on a laptop, wrong ones,
// updates, bad updates, power cuts. Run ./prepare DIR KERB once, then
//
//	KERB_IMAGE=DIR go test -count=1 -v -timeout 2h ./test/image
//
// The kernel and its command line are read from the image's boot partition
// before every start, as the firmware of a Raspberry Pi does.
package image

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A machine is a virtual one with a card of its own.
type machine struct {
	t    *testing.T
	dir  string
	card string // qcow2
	at   int64  // of the boot partition
	qemu *exec.Cmd

	forward int  // port on loopback that leads to port 8080 of the machine; 0: none
	radios  bool // two radios and no network: the kernel and the initrd of ./radio
	ended   chan struct{}

	mu    sync.Mutex
	lines []string
	begun time.Time
}

// imageDir is what ./prepare made; without it the test is skipped.
func imageDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KERB_IMAGE")
	if dir == "" {
		t.Skip("KERB_IMAGE does not name a folder made by test/image/prepare: no image is booted")
	}
	return dir
}

// newMachine puts files into the folder kerb of a fresh card.
func newMachine(t *testing.T, files map[string]string) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir()}
	raw := filepath.Join(m.dir, "card.raw")
	m.must("cp", "--sparse=always", filepath.Join(imageDir(t), "virt.img"), raw)
	table := make([]byte, 128)
	f, err := os.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(table, 2*512); err != nil {
		t.Fatal(err)
	}
	m.at = int64(binary.LittleEndian.Uint64(table[32:])) * 512
	for name, content := range files {
		path := filepath.Join(m.dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		m.must("mcopy", "-o", "-i", fmt.Sprintf("%s@@%d", raw, m.at), path, "::/kerb/"+name)
	}
	m.card = filepath.Join(m.dir, "card.qcow2")
	m.must("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", raw, m.card)
	t.Cleanup(m.cut)
	return m
}

func (m *machine) must(name string, args ...string) []byte {
	m.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

// file is a file of the boot partition as it is now.
func (m *machine) file(name string) []byte {
	m.t.Helper()
	head := filepath.Join(m.dir, "head.raw")
	m.must("qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=1M", "count=110", "if="+m.card, "of="+head)
	out, err := exec.Command("mtype", "-i", fmt.Sprintf("%s@@%d", head, m.at), "::/"+name).Output()
	if err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
	return out
}

// start switches the power on.
func (m *machine) start() {
	m.t.Helper()
	kernel := filepath.Join(m.dir, "vmlinuz")
	if _, err := os.Stat(kernel); err != nil {
		if err := os.WriteFile(kernel, m.file("vmlinuz"), 0o644); err != nil {
			m.t.Fatal(err)
		}
	}
	cmdline := strings.TrimSpace(string(m.file("cmdline.txt")))
	network := "user,id=net"
	if m.forward != 0 {
		network += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:8080", m.forward)
	}
	more := []string{"-kernel", kernel, "-netdev", network, "-device", "virtio-net-pci,netdev=net"}
	if m.radios {
		more = []string{"-kernel", filepath.Join(imageDir(m.t), "radio.vmlinuz"), "-initrd", filepath.Join(imageDir(m.t), "radio.initrd")}
	}
	m.qemu = exec.Command("qemu-system-aarch64", append(more, "-machine", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "512",
		"-accel", "tcg,thread=multi", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-append", cmdline, "-drive", "if=none,id=card,format=qcow2,cache=writeback,file="+m.card, "-device", "virtio-blk-pci,drive=card",
		"-device", "virtio-rng-pci")...)
	out, err := m.qemu.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	var words bytes.Buffer
	m.qemu.Stderr = &words
	m.mu.Lock()
	m.lines, m.begun = nil, time.Now()
	m.mu.Unlock()
	if err := m.qemu.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan struct{})
	m.ended = ended
	qemu := m.qemu
	go func() {
		m.listen(out)
		_ = qemu.Wait() // killed, most of the time
		if words.Len() > 0 {
			m.t.Logf("qemu: %s", words.String())
		}
		close(ended)
	}()
}

func (m *machine) listen(out io.Reader) {
	for s := bufio.NewScanner(out); s.Scan(); {
		m.mu.Lock()
		line := strings.TrimSpace(s.Text())
		m.lines = append(m.lines, line)
		if os.Getenv("KERB_CONSOLE") != "" {
			m.t.Logf("%6.1f s  %s", time.Since(m.begun).Seconds(), line)
		}
		m.mu.Unlock()
	}
}

// cut is a power cut.
func (m *machine) cut() {
	if m.qemu != nil && m.qemu.Process != nil {
		_ = m.qemu.Process.Kill()
		<-m.ended
		m.qemu = nil
	}
}

// runs starts the machine again whenever it restarts itself, until done says so.
func (m *machine) until(what string, limit time.Duration, done func() bool) {
	m.t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("%s: not within %v; the console's last words:\n%s", what, limit, m.console())
		}
		select {
		case <-m.ended:
			m.start()
		default:
		}
	}
}

func (m *machine) said(text string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.lines {
		if strings.Contains(l, text) {
			return true
		}
	}
	return false
}

func (m *machine) console() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.lines[max(0, len(m.lines)-30):], "\n")
}
