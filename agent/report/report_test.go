package report

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kerb/agent/ipc"
	"kerb/agent/logbook"
	"kerb/agent/status"
)

// secrets are planted, one of each kind.
var secrets = map[string]string{
	"broker's password":           `swordfish "9"<&é`,
	"camera's password":           "opensesame77",
	"key of the broker":           "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49",
	"user in a URL":               "joe-url-user",
	"password in a URL":           "joe-url-word",
	"token in a query":            "q-token-31337",
	"password in a path":          "tlJwpbo6",
	"password in the file":        "in-the-file-1",
	"key in the file":             "in-the-file-2",
	"password of a command":       "rtsp-command-word",
	"token of a log line":         "log-bearer-99",
	"basic authorization in logs": "dmlld2VyOm9wZW4=",
}

// plant writes a site with every secret and returns the bundle's options.
func plant(t *testing.T) (Bundle, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"broker-word": secrets["broker's password"] + "\n",
		"camera-word": secrets["camera's password"] + "\r\n",
		"key.pem":     "-----BEGIN PRIVATE KEY-----\n" + secrets["key of the broker"] + "\n-----END PRIVATE KEY-----\n",
		"policy.toml": "schema = \"kerb.policy/1\"\n",
		"site.toml": fmt.Sprintf(`[device]
name = "pole"
site = "a"
tenant = "b"
state = "state"
[broker]
url = "mqtts://%s:%s@broker.example:8883"
user = "pole"
password_file = "broker-word"
password = %q
key_file = "key.pem"
[[camera]]
name = "north"
source = "http://cam.example/stream?token=%s&x=1"
password_file = "camera-word"
api_key: '%s'
token = '%[5]s'
[[camera]]
name = "south"
source = "rtsp://cam.example/user=admin_password=%[6]s_channel=1.sdp"
[[camera]]
name = "west"
command = ["/usr/bin/ffmpeg", "-i", "rtsp://x", "-key", "%[7]s"]
`, secrets["user in a URL"], secrets["password in a URL"], secrets["password in the file"], secrets["token in a query"], secrets["key in the file"],
			secrets["password in a path"], secrets["password of a command"]),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	return Bundle{
		SitePath: filepath.Join(dir, "site.toml"), PolicyPath: filepath.Join(dir, "policy.toml"), Version: "1.0",
		Check: func() error { return errors.New("site.toml:7: broker.password: no such key") },
	}, dir
}

// leaks names the secrets of which a form is in text.
func leaks(text []byte) (found []string) {
	for name, secret := range secrets {
		for _, form := range []string{
			secret, base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)), url.QueryEscape(secret),
			strings.ReplaceAll(secret, `"`, `\"`), strings.Fields(secret)[0],
		} {
			if bytes.Contains(text, []byte(form)) {
				found = append(found, name)
				break
			}
		}
	}
	return found
}

func TestARedactedTextHoldsNoSecret(t *testing.T) {
	b, dir := plant(t)
	text, err := os.ReadFile(b.SitePath)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRedactor(nil, text)
	for _, f := range []string{"broker-word", "camera-word", "key.pem"} { // what NewRedactor reads of a site that holds
		secret, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, secret...)
		r.addSecret(secret)
	}
	for name, s := range secrets {
		text = append(text, fmt.Sprintf("level=WARN msg=x err=%q note=%s\n", "get http://"+url.QueryEscape(s)+"@h/?x="+url.QueryEscape(s), hex.EncodeToString([]byte("x")))...)
		if strings.Contains(name, "log") {
			text = append(text, fmt.Sprintf("Authorization: Basic %s\nProxy-Authorization: Bearer %[1]s\n\"token\":%[1]q password=%[1]s\n", s)...)
		}
	}
	if n := len(leaks(text)); n != len(secrets) {
		t.Errorf("control: %d of %d secrets are in the text", n, len(secrets))
	}
	redacted := r.Redact(text)
	if found := leaks(redacted); len(found) > 0 {
		t.Errorf("left: %v\n%s", found, redacted)
	}
	for _, kept := range []string{`name = "pole"`, "broker.example:8883", "password_file = \"broker-word\"", "/usr/bin/ffmpeg", "cam.example", "level=WARN msg=x"} {
		if !bytes.Contains(redacted, []byte(kept)) {
			t.Errorf("gone: %s\n%s", kept, redacted)
		}
	}
}

// A user may have written anything.
func FuzzRedact(f *testing.F) {
	f.Add([]byte("password = \"x\"\ncommand = [\"a\", 'b']\nhttp://a:b@c/?d"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := NewRedactor(nil, text)
		if once := r.Redact(text); bytes.Contains(once, []byte("joe:secret@")) {
			t.Errorf("%q", once)
		}
	})
}

// readArchive returns the files of a bundle by their names without the folder.
func readArchive(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(zipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		folder, name, _ := strings.Cut(h.Name, "/")
		if !strings.HasPrefix(folder, "kerb-report-") {
			t.Errorf("folder %s", folder)
		}
		files[name] = text
	}
}

// logEntry takes the lines of a running agent; a bundle of a device whose files are
// wrong is written all the same.
func TestTheLogOfARunningAgentIsInTheBundleWithoutSecrets(t *testing.T) {
	_, dir := plant(t)
	stateDir := filepath.Join(dir, "state")
	book := logbook.New(io.Discard, time.Now)
	log := slog.New(slog.NewTextHandler(book, nil))
	for name, s := range secrets {
		log.Warn("broker "+name, "err", "Authorization: Basic "+s)
	}
	l, err := status.Listen(stateDir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		status.Serve(ctx, l, func(q *ipc.Query) [][]byte {
			if q.What == ipc.QueryStatus { // each client asks it first
				return [][]byte{encode(status.Device{}, nil), encode(status.Uplink{}, nil)}
			}
			return [][]byte{encode(status.Log{Lines: book.Lines()}, nil)}
		})
	})
	defer serving.Wait()
	defer cancel()
	d, err := FindDevice(filepath.Join(dir, "site.toml"))
	if err != nil || d.Name != "pole" {
		t.Fatalf("%+v, %v", d, err)
	}
	e := logEntry(t.Context(), d)
	if n := bytes.Count(e.text, []byte("level=WARN")); n != len(secrets) {
		t.Errorf("%d lines of %d:\n%s", n, len(secrets), e.text)
	}
	var out bytes.Buffer
	if _, err := writeArchive(&out, "kerb-report-x", []entry{e}, NewRedactor(nil, nil), time.Now()); err != nil {
		t.Fatal(err)
	}
	if found := leaks(readArchive(t, out.Bytes())["log.txt"]); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

// The journal holds what kerb aim prints: its login codes are passwords, and one that was
// chosen for the image is used again at each session.
func TestALoginCodeIsInNoBundle(t *testing.T) {
	const log = `2026-12-01T04:00:00 pole kerb[7]: page  http://192.168.1.20:8080/
2026-12-01T04:00:00 pole kerb[7]: code  427 193   (good once; the account calls it 1a2b3c4d)
2026-12-01T04:00:00 pole kerb[7]: {"code":"427193","id":"1a2b3c4d","left_s":600,"qr":"██ ▀\n█\"▄","urls":["http://192.168.1.20:8080/"]}
2026-12-01T04:00:00 pole kerb[7]: word  abcdefgh2345   (the Wi-Fi's passphrase, for this session; its QR code is the left one)
2026-12-01T04:00:00 pole kerb[7]: {"code":"427193","ssid":"pole","passphrase":"abcdefgh2345"}
2026-12-01T04:00:00 pole pole[1]: open http://192.168.1.20:8080/?code=427193 on your telephone
code = "427 193"
`
	text := string(NewRedactor(nil, nil).Redact([]byte(log)))
	for _, secret := range []string{"427 193", "427193", "abcdefgh2345", "██", "▄"} {
		if strings.Contains(text, secret) {
			t.Errorf("left: %s in\n%s", secret, text)
		}
	}
	for _, kept := range []string{"1a2b3c4d", "192.168.1.20:8080", `"left_s":600`} {
		if !strings.Contains(text, kept) {
			t.Errorf("gone: %s in\n%s", kept, text)
		}
	}
}
