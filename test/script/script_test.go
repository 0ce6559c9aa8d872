// Package script runs the commands as an engineer types them, one script per
// promise, and checks what they print and how they exit.
package script

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/rogpeppe/go-internal/testscript"
	bolt "go.etcd.io/bbolt"
)

// bin is the folder with the built kerb.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "kerb-script"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		build := exec.Command("go", "build", "-o", filepath.Join(bin, "kerb"), "kerb/agent")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build kerb: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			configs, err := filepath.Abs("../../configs")
			e.Setenv("CONFIGS", configs)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"kerb":    exits,
			"bomb":    writes(bomb),
			"avi":     writes(func() ([]byte, error) { return avi(20) }),
			"truncav": writes(func() ([]byte, error) { b, err := avi(20); return b[:len(b)*3/5], err }),
			"bolt":    makeBolt,
			"keys":    makeKeys,
			"sign":    sign,
			"await":   await,
			"headof":  headOf,
			"flip":    flip,
			"closed":  closedHours,
			"tinynet": writes(nightWatch),
			"still":   writes(func() ([]byte, error) { return picture(3) }),
			"sumof":   sumOf,
			"fill":    fill,
			"inside":  inside,
		},
	})
}

// inside waits until a window of the demo, 5 s long, has begun a second ago: one
// that runs for 7 s from then on ends in the middle of a window.
func inside(*testscript.TestScript, bool, []string) {
	const window = 5 * time.Second
	now := time.Now()
	time.Sleep(now.Truncate(window).Add(window + time.Second).Sub(now))
}

// exits runs kerb and demands an exit code: kerb 2 check -site x. The words on
// both channels are left for stdout and stderr. A panic is never an exit.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: kerb CODE ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("kerb", args[1:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
	if bytes.Contains([]byte(ts.ReadFile("stderr")), []byte("goroutine ")) {
		ts.Fatalf("it panicked")
	}
}

// makeKeys writes NAME.pub and NAME.key, a pair of minisign's: keys NAME…
func makeKeys(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		public, private, err := minisign.GenerateKey(nil)
		ts.Check(err)
		text, err := public.MarshalText()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name+".pub"), text, 0o600))
		text, err = private.MarshalText()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name+".key"), text, 0o600))
	}
}

// sign does what minisign -S does: sign NAME.key FILE SIGNATURE.
func sign(ts *testscript.TestScript, _ bool, args []string) {
	var key minisign.PrivateKey
	ts.Check(key.UnmarshalText([]byte(ts.ReadFile(args[0]))))
	signature := minisign.Sign(key, []byte(ts.ReadFile(args[1])))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), signature, 0o600))
}

// await runs a command again and again until what it prints matches: await
// REGEXP COMMAND ARG…
func await(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[0])
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if ts.Exec(args[1], args[2:]...) == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("never: %s\n%s%s", args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
}

// headOf puts the head of an audit log into an environment variable:
// headof DIR NAME sets NAME, in capitals, to SEQ:SUM.
func headOf(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("kerb", "audit", "verify", "-dir", ts.MkAbs(args[0])))
	_, head, _ := strings.Cut(strings.TrimSpace(ts.ReadFile("stdout")), "head ")
	ts.Setenv(strings.ToUpper(args[1]), head)
}

// flip replaces the first occurrence of a text in a file: flip FILE OLD NEW.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}

// closedHours writes a policy whose hours are half a day away: closed FILE.
func closedHours(ts *testscript.TestScript, _ bool, args []string) {
	hour := (time.Now().UTC().Hour() + 12) % 24
	hours := fmt.Sprintf("hours.open = [\"Mon-Sun %02d:00-%02d:00\"]\n", hour, hour+1)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(helsinki[:strings.Index(helsinki, "hours")]+hours+helsinki[strings.Index(helsinki, "clear"):]), 0o600))
}

func writes(content func() ([]byte, error)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		b, err := content()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
	}
}

// bomb is a small JPEG whose header declares 30000×30000 pixels.
func bomb() ([]byte, error) {
	b, err := picture(0)
	i := bytes.Index(b, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(b[i+5:], 30000)
	binary.BigEndian.PutUint16(b[i+7:], 30000)
	return b, err
}

// picture is a JPEG of a box that moves with n.
func picture(n int) ([]byte, error) {
	m := image.NewGray(image.Rect(0, 0, 160, 120))
	for y := range 120 {
		for x := range 160 {
			c := color.Gray{Y: uint8(90 + (x*7+y*13)%11)}
			if x > 4*n && x < 4*n+30 && y > 40 && y < 80 {
				c.Y = 220
			}
			m.SetGray(x, y, c)
		}
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, nil)
	return b.Bytes(), err
}

// avi is a Motion-JPEG AVI of n pictures, as small as the format allows.
func avi(n int) ([]byte, error) {
	var movi bytes.Buffer
	movi.WriteString("movi")
	for i := range n {
		p, err := picture(i)
		if err != nil {
			return nil, err
		}
		movi.Write(chunk("00dc", p))
	}
	avih := make([]byte, 56)
	put := binary.LittleEndian.PutUint32
	put(avih[0:], 100_000) // µs a picture
	put(avih[16:], uint32(n))
	put(avih[24:], 1)
	put(avih[32:], 160)
	put(avih[36:], 120)
	strh := append([]byte("vidsMJPG"), make([]byte, 48)...)
	put(strh[20:], 1)
	put(strh[24:], 10)
	put(strh[32:], uint32(n))
	strf := make([]byte, 40)
	put(strf[0:], 40)
	put(strf[4:], 160)
	put(strf[8:], 120)
	copy(strf[16:], "MJPG")
	strl := append([]byte("strl"), append(chunk("strh", strh), chunk("strf", strf)...)...)
	hdrl := append([]byte("hdrl"), append(chunk("avih", avih), chunk("LIST", strl)...)...)
	body := append([]byte("AVI "), append(chunk("LIST", hdrl), chunk("LIST", movi.Bytes())...)...)
	return chunk("RIFF", body), nil
}

func chunk(id string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(data)))
	b = append(b, data...)
	if len(data)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

// makeBolt writes a bbolt file that belongs to some other program.
func makeBolt(ts *testscript.TestScript, _ bool, args []string) {
	db, err := bolt.Open(ts.MkAbs(args[0]), 0o600, nil)
	ts.Check(err)
	ts.Check(db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("recipes"))
		if err != nil {
			return err
		}
		return b.Put([]byte("soup"), []byte("leek"))
	}))
	ts.Check(db.Close())
}
