package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/mdns/v2"
	"golang.org/x/net/ipv4"
)

func TestThreeShortStartsOpenOneSession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "starts")
	open := func() bool {
		t.Helper()
		n, err := countStart(path)
		if err != nil {
			t.Fatal(err)
		}
		return n == shortLimit
	}
	for i, want := range []bool{false, false, true, false, false, false, false} {
		if got := open(); got != want {
			t.Errorf("short start %d: %v", i+1, got)
		}
	}
	if err := os.Remove(path); err != nil { // as after a minute of running
		t.Fatal(err)
	}
	for i, want := range []bool{false, false, true} {
		if got := open(); got != want {
			t.Errorf("short start %d after a long one: %v", i+1, got)
		}
	}
}

// After a power cut the file has the old content or the new one; but a card that goes bad
// may give back anything, and that opens nothing.
func TestATornCountOfStartsOpensNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "starts")
	for _, torn := range []string{"", "2", "2 short", "\x00\x00\x00\x00", "-7 short starts\n", "99 short starts\n", "short starts\n"} {
		if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := countStart(path); err != nil || n != 1 {
			t.Errorf("%q: %d, %v", torn, n, err)
		}
	}
}

func TestARequestIsTakenOnce(t *testing.T) {
	card := writeFiles(t, t.TempDir(), map[string]string{aimFile: "minutes = 20\ncode = \"427 193\"\n", aimTaken: "of the last time"})
	a, ok, err := readRequest(card)
	if err != nil || !ok || a.Minutes != 20 || a.Code != "427 193" {
		t.Fatalf("%+v, %v, %v", a, ok, err)
	}
	if err := markTaken(card); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := readRequest(card); ok || err != nil {
		t.Errorf("a second time: %v, %v", ok, err)
	}
	if b, err := os.ReadFile(filepath.Join(card, aimTaken)); err != nil || !strings.Contains(string(b), "minutes") {
		t.Errorf("%s, %v", b, err)
	}
	if err := markTaken(card); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing to take: %v", err)
	}
}

func TestAWrongRequestIsTold(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"":                               {aimFile: ""},
		"its name must be aim.toml":      {aimFile + ".txt": ""},
		"minutes = 90: must be 1–60":     {aimFile: "minutes = 90"},
		"code: must be six digits":       {aimFile: "code = \"12345\""},
		"aim.toml:1: minuets: no such":   {aimFile: "minuets = 3"},
		"aim.toml:2: ":                   {aimFile: "\nminutes = \"ten\""},
		"belong to [aim] of system.toml": {aimFile: "power_cycle = false"},
		"button belong to [aim]":         {aimFile: "button = \"GPIO21\""},
		"system.toml: aim.code: must be": {"system.toml": "[aim]\ncode = \"secret\"\n"},
		"system.toml:2: ":                {"system.toml": "[aim]\nbutton = 3\n"},
	} {
		dir := writeFiles(t, t.TempDir(), files)
		_, ok, err := readRequest(dir)
		if files["system.toml"] != "" {
			_, err = readSettings(dir)
		}
		if want == "" && (err != nil || !ok) || want != "" && (ok || err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %v, %v, want %q", files, ok, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "12345") {
			t.Errorf("the code is told: %v", err)
		}
	}
}

// The card, the set in force and what pole knew of the card last, after a session, after
// power cuts within it, and after a person changed the card.
func TestLinesFromASessionReachTheCard(t *testing.T) {
	files := map[string]string{"site.toml": "old lines", "policy.toml": "p", "site.toml.example": "e", aimTaken: "", reportFile: "r"}
	card := writeFiles(t, t.TempDir(), files)
	set := filepath.Join(t.TempDir(), "set")
	known, err := copySet(card, set, os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	state := func(unfinished bool) cardState {
		t.Helper()
		c, err := hashSet(card)
		if err != nil {
			t.Fatal(err)
		}
		s, err := hashSet(set)
		if err != nil {
			t.Fatal(err)
		}
		return compareCard(c, s, known, unfinished)
	}
	expect := func(what string, got, want cardState) {
		t.Helper()
		if got != want {
			t.Errorf("%s: state %d, want %d", what, got, want)
		}
	}
	expect("after the copy", state(false), cardSame)
	if _, err := os.Stat(filepath.Join(set, reportFile)); err == nil {
		t.Error("the report is part of the set")
	}
	writeFiles(t, set, map[string]string{"site.toml": "new lines, and more of them", oldSite: "old lines"})
	expect("a power cut before the card was written", state(false), cardBehind)
	writeFiles(t, card, map[string]string{"site.toml": "new linesold"})
	expect("a power cut while it was written", state(true), cardBehind)
	writeFiles(t, card, map[string]string{"site.toml": "old lines"})
	if err := writeSiteTo(card, set); err != nil {
		t.Fatal(err)
	}
	expect("a power cut before pole noted it", state(true), cardSame)
	for name, want := range map[string]string{"site.toml": "new lines, and more of them", oldSite: "old lines"} {
		if b, err := os.ReadFile(filepath.Join(card, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	writeFiles(t, set, map[string]string{"site.toml": "short"})
	if err := writeSiteTo(card, set); err != nil {
		t.Fatal(err)
	}
	expect("a shorter file", state(false), cardSame)
	writeFiles(t, card, map[string]string{"policy.toml": "changed by hand"})
	expect("changed by hand", state(false), cardChanged)
	if err := os.Remove(filepath.Join(card, "site.toml")); err != nil {
		t.Fatal(err)
	}
	if err := writeSiteTo(card, set); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an emptied card gets a site.toml again: %v", err)
	}
}

func TestTheSessionLampIsLessUrgentThanAFault(t *testing.T) {
	var l lamp
	for _, c := range []struct {
		code    int32
		session bool
		want    int32
	}{{counting, false, counting}, {counting, true, aiming}, {offline, true, aiming}, {fault, true, fault}} {
		l.setCode(c.code)
		l.session.Store(c.session)
		if got := l.shownCode(); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestTheAddressAndTheCodeAreTold(t *testing.T) {
	l := aimLine{Code: "427193", URLs: []string{"http://192.168.4.2:8080/"}, Left: 1799}
	want := []string{"page http://pole-7.local:8080/ or http://192.168.4.2:8080/", "code 427 193, good once", "open for 30m0s"}
	if got := l.words("pole-7"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	r := report{card: []string{"site.toml:3: a mistake"}, aiming: want[1:2]}
	if got := r.text(); got != "The files on this card are not in force:\r\n  site.toml:3: a mistake\r\nAiming:\r\n  code 427 193, good once\r\n" {
		t.Errorf("%q", got)
	}
	if got := aimArguments(aimSettings{Minutes: 5, Camera: "north", Code: "427193"}, byButton); !slices.Equal(got, []string{"-json", "-by", "button", "-for", "5m", "-access-point", "fd:3", "-code-file", codeFile, "--", "north"}) {
		t.Errorf("%q", got)
	}
	own := aimSettings{Minutes: 5, AccessPoint: true, Passphrase: "five kerbs by the river"}
	if got := aimArguments(own, byCard); !slices.Equal(got, []string{"-json", "-by", "card", "-for", "5m", "-access-point", "fd:3", "-access-point-always", "-passphrase-file", wordFile}) {
		t.Errorf("%q", got)
	}
	for passphrase, well := range map[string]bool{"": true, "12345678": true, "1234567": false, "gür die Straße": false, "two\nlines!": false, strings.Repeat("x", 63): true, strings.Repeat("x", 64): false} {
		err := aimSettings{Passphrase: passphrase}.check("")
		if (err == nil) != well || err != nil && strings.Contains(err.Error(), passphrase) {
			t.Errorf("passphrase of %d bytes: %v", len(passphrase), err)
		}
	}
}

// An access point needs a radio and a country in site.toml.
func TestAnAccessPointNeedsARadioAndACountry(t *testing.T) {
	radios, set := t.TempDir(), t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(set, "site.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[access_point]\ncountry = \"FI\"\n")
	if mayOpenAccessPoint(radios, set) || mayOpenAccessPoint(filepath.Join(radios, "none"), set) {
		t.Error("without a radio")
	}
	if err := os.Mkdir(filepath.Join(radios, "phy0"), 0o700); err != nil {
		t.Fatal(err)
	}
	if !mayOpenAccessPoint(radios, set) {
		t.Error("with a radio and a country there is none")
	}
	write("[access_point]\nalways = true\n")
	if mayOpenAccessPoint(radios, set) {
		t.Error("without a country")
	}
}

func TestALinkLocalAddressIsStableAndInItsRange(t *testing.T) {
	for i := range 1000 {
		ip := linkLocal(net.HardwareAddr{0xb8, 0x27, 0xeb, 0, byte(i >> 8), byte(i)}).To4()
		if !ip.IsLinkLocalUnicast() || ip[2] == 0 || ip[2] == 255 {
			t.Fatalf("%v", ip)
		}
	}
	one := net.HardwareAddr{1, 2, 3, 4, 5, 6}
	if a, b := linkLocal(one), linkLocal(one); !a.Equal(b) {
		t.Errorf("%v, then %v", a, b)
	}
}

// A telephone asks for the name by multicast.
func TestTheNameIsAnswered(t *testing.T) {
	if interfaces, err := net.Interfaces(); err != nil || !slices.ContainsFunc(interfaces, func(i net.Interface) bool {
		return i.Flags&(net.FlagUp|net.FlagMulticast|net.FlagLoopback) == net.FlagUp|net.FlagMulticast
	}) {
		t.Skip("this machine has no interface for multicast")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if err := answerName(ctx, "pole-7"); err != nil {
		t.Skipf("port 5353 is not free: %v", err)
	}
	address, err := net.ResolveUDPAddr("udp4", mdns.DefaultAddressIPv4)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUDP("udp4", address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mdns.Server(ipv4.NewPacketConn(c), nil, &mdns.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	asking, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, answer, err := client.QueryAddr(asking, "pole-7.local")
	if err != nil || !isOwnAddress(t, answer) {
		t.Errorf("pole-7.local is %v, %v", answer, err)
	}
	if _, _, err := client.QueryAddr(shortly(t), "other.local"); err == nil {
		t.Error("another name is answered too")
	}
}

// shortly is a context for an answer that must not come.
func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func isOwnAddress(t *testing.T, a netip.Addr) bool {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(addrs, func(n net.Addr) bool {
		p, ok := n.(*net.IPNet)
		return ok && p.IP.Equal(net.IP(a.AsSlice()))
	})
}

// During a session kerb's user replaces site.toml and no other file of the set.
func TestOnlySiteTomlCanBeReplaced(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	set := filepath.Join(t.TempDir(), "set")
	if _, err := copySet(writeFiles(t, t.TempDir(), map[string]string{"site.toml": "s", "policy.toml": "p", "site.toml.example": "e"}), set, kerbID); err != nil {
		t.Fatal(err)
	}
	for p := filepath.Dir(set); p != os.TempDir() && p != "/"; p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	replace := func(name string) error {
		return asKerb(t, "cd "+set+" && echo x >"+name+".9 && mv -f "+name+".9 "+name)
	}
	if err := replace("site.toml"); err == nil {
		t.Error("site.toml can be replaced before a session")
	}
	if err := openSet(set); err != nil {
		t.Fatal(err)
	}
	if err := replace("site.toml"); err != nil {
		t.Errorf("site.toml cannot be replaced in a session: %v", err)
	}
	if err := replace("policy.toml"); err == nil {
		t.Error("policy.toml can be replaced")
	}
	if err := closeSet(set); err != nil {
		t.Fatal(err)
	}
	if err := replace("site.toml"); err == nil {
		t.Error("site.toml can be replaced after a session")
	}
	names, err := filepath.Glob(filepath.Join(set, "site.toml*"))
	if err != nil || len(names) != 2 {
		t.Errorf("left: %q, %v", names, err)
	}
}

// asKerb runs a shell's line as kerb's user.
func asKerb(t *testing.T, line string) error {
	t.Helper()
	c := exec.Command("/bin/sh", "-c", line)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: kerbID, Gid: kerbID}}
	return c.Run()
}
