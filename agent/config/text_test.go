package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatCopyingAddsIsNamed(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"an IPv6 address without brackets", "mqtt://127.0.0.1:1883", "mqtt://::1:1883", "must have an IPv6 address in brackets\nhint: for example [::1]:1883"},
		{"a camera's IPv6 address without brackets", "scene:calm", "http://2001:db8::5/mjpeg", "camera[0].source = \"http://2001:db8::5/mjpeg\": must have an IPv6 address in brackets"},
		{"a path after the broker", "127.0.0.1:1883", "127.0.0.1:1883/kerb", "must end after the host and its port"},
		{"a query after the broker", "127.0.0.1:1883", "127.0.0.1:1883?client=x", "must end after the host and its port"},
		{"a blank after the broker", "127.0.0.1:1883", "127.0.0.1:1883 ", "must not begin or end with a blank"},
		{"a blank after the source", "scene:calm", "http://cam/mjpeg ", "camera[0].source = \"http://cam/mjpeg \": must not begin or end with a blank"},
		{"a blank before the source", "scene:calm", " rtsp://cam/1", "must not begin or end with a blank"},
		{"typographic quotes in quotes", "scene:calm", "“rtsp://cam/1”", "must not hold typographic quotes"},
		{"a mark of direction", "scene:calm", "http://cam/\u202e1", "must not hold a character that cannot be seen"},
		{"a blank that is none", "scene:calm", "http://cam/\u00a01", "must not hold a character that cannot be seen"},
		{"an address without a scheme", "scene:calm", "10.0.9.17:3031/video", "must begin with a scheme if it is an address\nhint: for example http://10.0.9.17:3031/video"},
		{"a host and a port alone", "scene:calm", "camera.lan:554", "must begin with a scheme"},
		{"a user with a blank", `url = "mqtt://127.0.0.1:1883"`, "url = \"mqtt://127.0.0.1:1883\"\nuser = \"pole 7 \"", "broker.user = \"pole 7 \": must not begin or end with a blank"},
		{"a port behind the path", "mqtt://127.0.0.1:1883", "ws://127.0.0.1/mqtt/:80", "must have the port before the path"},
		{"a credential without systemd", `url = "mqtt://127.0.0.1:1883"`, "url = \"mqtt://127.0.0.1:1883\"\npassword_file = \"credential:mqtt\"", "systemd has set no CREDENTIALS_DIRECTORY"},
		{"a CA without TLS", `url = "mqtt://127.0.0.1:1883"`, "url = \"mqtt://127.0.0.1:1883\"\nca_file = \"/etc/hostname\"", "must be mqtts:// or wss:// beside ca_file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(sound, c.old, c.new, 1)
			if text == sound {
				t.Fatal("the case changes nothing")
			}
			_, err := Parse("/etc/kerb/site.toml", []byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant … %s …", err, c.want)
			}
		})
	}
}

func TestBrokerAddressesThatAreRightPass(t *testing.T) {
	for _, url := range []string{"mqtt://[::1]:1883", "mqtt://127.0.0.1", "mqtts://broker.example:8883/", "ws://127.0.0.1:8083/mqtt", "wss://broker.example/mqtt?x=y"} {
		if _, err := Parse("/etc/kerb/site.toml", []byte(strings.Replace(sound, "mqtt://127.0.0.1:1883", url, 1))); err != nil && !strings.Contains(err.Error(), "bench") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestNamesAreSuggestedInTheLettersThatMayBeUsed(t *testing.T) {
	for name, want := range map[string]string{
		"Müllerstraße":          "muellerstrasse",
		"Café René":             "cafe-rene",
		"Smørrebrød Ærø":        "smoerrebroed-aeroe",
		"Ångström":              "aangstroem",
		"Łódź":                  "lodz",
		"İstanbul":              "istanbul",
		"Cafe\u0301 (combined)": "cafe-combined",
		"Pi/0A1B":               "pi-0a1b",
		"A & B":                 "a-and-b",
		"東京":                    "",
	} {
		if got := suggestName(name); got != want {
			t.Errorf("%s: suggests %q, must be %q", name, got, want)
		}
	}
}

func TestFilesWithTheWrongContentAreNamed(t *testing.T) {
	dir := t.TempDir()
	const cert, key = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n"
	for name, content := range map[string]string{
		"cert": cert, "key": key, "both": key + cert, "good": "hunter2\n", "bom": "\xef\xbb\xbfhunter2\n", "wide": "\xff\xfeh\x00u\x00",
		"empty": "\n", "two": "bob\nhunter2\n", "spaces": "pass word \n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for keys, want := range map[string]string{
		`password_file = "good"`:                      "",
		`password_file = "spaces"`:                    "",
		`password_file = "bom"`:                       "must be a file without a byte order mark",
		`password_file = "wide"`:                      "must be a file without a byte order mark",
		`password_file = "empty"`:                     "the file is empty",
		`password_file = "two"`:                       "must hold one line",
		`password_file = "key"`:                       "the file holds a private key: are two files swapped?",
		"cert_file = \"key\"\nkey_file = \"cert\"":    "broker.key_file = \"cert\": must hold a private key\nhint: the file holds a certificate: are two files swapped?",
		"cert_file = \"cert\"\nkey_file = \"key\"":    "",
		"cert_file = \"cert\"\nkey_file = \"both\"":   "",
		"cert_file = \"both\"\nkey_file = \"both\"":   "broker.cert_file = \"both\": must hold a certificate",
		"ca_file = \"key\"\npassword_file = \"good\"": "broker.ca_file = \"key\": must hold a certificate",
	} {
		text := strings.Replace(sound, `url = "mqtt://127.0.0.1:1883"`, "url = \"mqtts://127.0.0.1:8883\"\n"+keys, 1)
		_, err := Parse(filepath.Join(dir, "site.toml"), []byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v\nwant … %s …", keys, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: tells the password: %v", keys, err)
		}
	}
}

func TestTwoFilesThatAreSwappedAreToldOnce(t *testing.T) {
	_, err := Parse("site.toml", []byte("schema = \"kerb/policy/1\"\nversion = 1\npurpose = \"traffic\"\n[clear]\nmode = \"open\"\n"))
	if err == nil || err.Error() != "site.toml: is a policy, not a site file\nhint: are the two files swapped?" {
		t.Errorf("%v", err)
	}
}

func TestTwoLinesOnOneContactAreAMistake(t *testing.T) {
	text := sound + "\n[loop]\n[[loop.line]]\nname = \"a\"\ngpio = \"GPIO17\"\n[[loop.line]]\nname = \"b\"\ngpio = \"GPIO17\"\n[[loop.lane]]\nid = \"lane\"\nloops = [\"a\"]\n"
	_, err := Parse("/etc/kerb/site.toml", []byte(text))
	if err == nil || !strings.Contains(err.Error(), `loop.line[1].gpio = "GPIO17": must be another line than loop.line[0].gpio`) {
		t.Errorf("%v", err)
	}
}
