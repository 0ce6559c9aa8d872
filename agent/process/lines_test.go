package process

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Bytes of a picture printed by a child or a library in it do not come through; kerb's own
// records do.
func TestOnlyKerbsOwnRecordsComeThrough(t *testing.T) {
	const mark = "S3cretM4rk"
	binary := "\xff\xd8\xff\xe0" + mark + "\x9a\x00"
	var record bytes.Buffer
	slog.New(slog.NewTextHandler(&record, nil)).Warn("camera lost", "camera", "north", "err", fmt.Sprintf("malformed MIME header line: %q", binary))
	_, quoted, _ := strings.Cut(strings.TrimSpace(record.String()), " ") // without the time
	for line, want := range map[string]string{
		`level=INFO msg=counting process="sense north" pid=7`:                               `level=INFO msg=counting process="sense north" pid=7`,
		`level=WARN msg="camera lost" camera=north err="read tcp 10.0.0.2:80: i/o timeout"`: `level=WARN msg="camera lost" camera=north err="read tcp 10.0.0.2:80: i/o timeout"`,
		"kerb: read the camera's password: open /etc/kerb/pw: permission denied":            "kerb: read the camera's password: open /etc/kerb/pw: permission denied",
		// net/http, by package log; the runtime; a debugging line.
		"2026/11/28 10:00:00 Unsolicited response received on idle HTTP channel starting with \"" + mark: "",
		"panic: malformed " + mark:                          "kerb: crashed: a fault of kerb, please report it",
		"\t/src/kerb/drivers/camera/head/head.go:120 +0x1d": "kerb: crashed at drivers/camera/head/head.go:120",
		"\tkerb/agent/sensor/process.go:7":                  "kerb: crashed at agent/sensor/process.go:7",
		"goroutine 1 [running]:":                            "",
		"main.main(" + mark + ")":                           "",
		mark:                                                "",
		quoted:                                              `level=WARN msg="camera lost" camera=north err="malformed MIME header line:` + bytesLeftOut + `"`,
		`kerb: a line "X-\xff\xda` + mark + `" is wrong`:            "kerb: a line " + bytesLeftOut,
		`level=WARN msg=odd head="\ufffd` + mark + `" camera=north`: `level=WARN msg=odd head="` + bytesLeftOut + `"`,
		"level=WARN msg=odd err=\ufffd" + mark:                      `level=WARN msg=odd err="` + bytesLeftOut + `"`,
	} {
		got, ok := OwnRecord(PlainText([]byte(line)))
		if strings.Contains(got, mark) || ok != (want != "") {
			t.Errorf("%q became %q, %t", line, got, ok)
		}
		if want != "" && !strings.HasPrefix(got, strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(want, `"`), bytesLeftOut), `"`)) {
			t.Errorf("%q became %q, want %q", line, got, want)
		}
		if strings.Contains(want, bytesLeftOut) && !strings.Contains(got, bytesLeftOut) {
			t.Errorf("%q became %q: it is not told that something was left out", line, got)
		}
	}
}

// A program may quote the picture that it reads.
func TestOfAProgramOnlyKnownReasonsAreLogged(t *testing.T) {
	const mark = "S3cretM4rk"
	var words, log bytes.Buffer
	w := newWatcher(&words, "liar")
	w.Name, w.Log = "rpicam-vid north", slog.New(slog.NewTextHandler(&log, nil))
	w.CopyProgramStderr(strings.NewReader("ERROR: *** no cameras available *** " + mark + "\n[mjpeg @ 0x5] overread " + mark + "\n" + mark))
	if got, want := words.String(), `msg="kerb: the program says: no camera is found" from="rpicam-vid north"`; strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if !strings.Contains(log.String(), "lines=2") || strings.Contains(log.String(), mark) {
		t.Errorf("log: %q", log.String())
	}
}
