package advice

import (
	"strings"
	"testing"
)

// The reasons are those of the readers, of Go's network packages and of the kernel.
func TestTheAdviceFitsTheReason(t *testing.T) {
	for reason, want := range map[string]string{
		"http://c/: camera refuses the user or the password":                                         "password_file",
		"camera asks for a user and a password":                                                      "password_file",
		"camera answers 404 Not Found":                                                               "path of source",
		`camera sends "text/html": must be multipart/x-mixed-replace`:                                "path of source",
		"camera sends a single picture: look for the address of its MJPEG stream":                    "every",
		"rtsp://c/: camera has closed the connection":                                                "scheme and port",
		"camera's answer breaks the rules of HTTP":                                                   "scheme and port",
		"camera's answer does not begin with a status line":                                          "scheme and port",
		"camera's description of its streams (SDP) cannot be read":                                   "scheme and port",
		"camera answers 500 Internal Server Error":                                                   "restart the camera",
		"camera answers 404: it has no stream of this name: look for the path in its manual":         "path of source",
		"camera has no M-JPEG, H.264 or H.265":                                                       "H.264",
		"camera asks for a kind of authentication that is not known":                                 "Digest",
		"x509: certificate signed by unknown authority":                                              "SHA-256",
		"read tcp 10.0.0.2:40140->10.0.0.9:40403: read: connection reset by peer":                    "scheme and port",
		"camera does not answer":                                                                     "power, cable and address",
		"camera sends a playlist (HLS): must be a JPEG picture or an MP4 clip":                       "path of source",
		"camera sends nothing":                                                                       "in a browser",
		"no JPEG picture came":                                                                       "in a browser",
		"no picture within the time limit":                                                           "power, cable and address",
		"camera answers 461: camera sends pictures by UDP only: set transport = \"udp\"":             changeAsTold,
		"camera sends no picture: 4:4:4 chroma: set the camera to 4:2:0 (profile Main or High)":      changeAsTold,
		"tls: first record does not look like a TLS handshake":                                       "speaks TLS",
		"dial tcp 192.0.2.1:80: connect: connection refused":                                         "nothing listens",
		"dial tcp: lookup camera.example: no such host":                                              "name",
		"dial tcp 192.0.2.1:80: connect: no route to host":                                           "power, cable",
		"dial tcp 192.0.2.1:80: i/o timeout":                                                         "power, cable",
		"open /dev/video0: permission denied; the user needs the group video":                        "that group",
		"open /dev/video0: no such file or directory":                                                "plug it in",
		"open /dev/video0: no such file or directory; kerb.service sees no device until camera.conf": "camera.conf",
		"csi cameras need rpicam-vid, which is not installed: apt install rpicam-apps":               "install it",
		"something new": "kerb probe",
	} {
		if got := Camera(reason); !strings.Contains(got, want) {
			t.Errorf("camera, %s: %s", reason, got)
		}
	}
	for reason, want := range map[string]string{
		"b:1883: broker refuses: not Authorized":                                  "broker.user and broker.password_file",
		"connect to b:8883: tls: first record does not look like a TLS handshake": "does not speak TLS",
		"connect to b:8883: read tcp: connection reset by peer":                   "mqtts://",
		"connect to b:1883: dial tcp: connect: connection refused":                "is the broker running",
		"connect to b:1883: dial tcp: lookup b: no such host":                     "name server",
		"connect to b:80: network Error : read tcp: i/o timeout":                  "does an MQTT broker listen",
		"EOF: this port speaks TLS: broker.url must begin with mqtts://":          "correct broker.url",
		"EOF: it accepts MQTT 5 only, and kerb speaks MQTT 3.1.1":                 "accept MQTT 3.1.1",
		"EOF: it answers a login without a retained Last Will":                    "retained",
		"connect to b:22: closed by the broker or the network":                    "does an MQTT broker listen",
		"x509: certificate has expired or is not yet valid":                       "clock",
		"broker's password: open /etc/kerb/word: permission denied":               "password_file",
		"something new": "kerb check -connect",
	} {
		if got := Broker(reason); !strings.Contains(got, want) {
			t.Errorf("broker, %s: %s", reason, got)
		}
	}
	for reason, want := range map[string]string{
		"open /dev/gpiochip0: permission denied; the user needs the group gpio": "that group",
		"no gpio line GPIO17 on any of 1 chips":                                 "kerb probe lists",
		"request GPIO17: device or resource busy":                               "another program",
		"something new": "loops.md",
	} {
		if got := Loops(reason); !strings.Contains(got, want) {
			t.Errorf("loops, %s: %s", reason, got)
		}
	}
	for _, reason := range []string{"its access control needs x", "camera sends pictures by TCP only: leave out transport"} {
		if got := Join(reason, Camera(reason)); got != reason {
			t.Errorf("what to do is told twice: %s", got)
		}
	}
}
