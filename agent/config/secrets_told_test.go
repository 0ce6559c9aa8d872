package config

import (
	"fmt"
	"strings"
	"testing"
)

// No mistake tells a password that stands where none belongs: its text goes to the log, the
// audit log and kerb status.
func TestNoMistakeTellsAPassword(t *testing.T) {
	const secret = "Hunter22"
	told := 0
	for _, value := range []string{
		`"rtps://joe:%s@h/x"`, `"joe:%s@10.0.0.1"`, `"rtsp://joe:%s@h:99999/x"`, `"rtsp://joe:a/%s@h/x y"`, `"http://h/x?user=a&pwd=%s"`, `"http://h/x?%s y"`,
		`["rtsp://joe:%s@h/x"]`, `["ffmpeg", "-i", "rtsp://joe:%s@h/x"]`, `["curl", "-password", "%s"]`, `["curl", "--token=%s"]`, `["curl", "-u", "joe:%s@x"]`,
		`'rtsp://joe:%s@h/x'`, `{a = "mqtt://joe:%s@h"}`, `"password %s"`,
	} {
		value = fmt.Sprintf(value, secret)
		for _, key := range []string{"broker.url", "broker.user", "camera.source", "camera.command", "camera.user", "camera.certificate", "device.name", "broker.est"} {
			table, name, _ := strings.Cut(key, ".")
			keys := map[string]string{
				"device": "name = \"pi\"\nsite = \"s\"\ntenant = \"t\"\n", "broker": "url = \"mqtts://broker.example\"\n", "camera": "name = \"north\"\n",
			}
			var kept []string
			for line := range strings.Lines(keys[table]) {
				if !strings.HasPrefix(line, name+" ") {
					kept = append(kept, line)
				}
			}
			keys[table] = strings.Join(kept, "") + name + " = " + value + "\n"
			text := "[device]\n" + keys["device"] + "[broker]\n" + keys["broker"] + "[[camera]]\n" + keys["camera"] + "[[camera.line]]\nid = \"kerb\"\nclasses = [\"person\"]\nfrom = [0.1, 0.5]\nto = [0.9, 0.5]\n"
			_, err := ParseElsewhere("site.toml", []byte(text))
			if err == nil {
				continue // a source of that form is allowed
			}
			if told++; strings.Contains(err.Error(), secret) {
				t.Errorf("%s = %s: %v", key, value, err)
			}
		}
	}
	if told < 60 {
		t.Errorf("%d mistakes: too few to tell", told)
	}
}
