// Package advice tells an engineer what to do about an error of a camera, of the
// broker or of a device file. It reads the text of the error, because most of them
// cross a process boundary as text.
//
// It refuses to replace the error: the reader's own reason is told first, and the
// advice behind it. It knows texts only, and opens nothing.
package advice

import (
	"slices"
	"strings"
)

// rule gives the advice for an error whose text contains one of parts.
type rule struct {
	parts  []string
	advice string
}

// The advice for errors that no rule fits.
const (
	otherCamera = "check power and cable of the camera; kerb probe asks it for a picture"
	otherBroker = "check network and broker: kerb check -connect"
	otherLoops  = "look at the detector and its wires: loops.md"
)

// changeAsTold is the advice for a reason that names the change itself. Join leaves it
// out.
const changeAsTold = "the message names the change: on the camera's own page or in site.toml"

// cameraRules are tried in order.
var cameraRules = []rule{
	{[]string{"refuses the user", "asks for a user", " 401", " 403"}, "correct user and password_file of the camera in site.toml, then restart kerb"},
	{[]string{"kind of authentication"}, "switch the camera to Digest authentication, on its own page"},
	{[]string{"set the camera", "set its second stream", "second stream to H.264", "switch it to Digest", "switch compression off", "leave out", "choose a smaller picture", "end another viewer", "set transport", "without transport"}, changeAsTold},
	{[]string{"group video"}, "give the user that group, then log in again or restart kerb"},
	{[]string{"camera.conf"}, "install camera.conf as flash.md tells"},
	{[]string{"no such file or directory", "no such device"}, "plug it in; kerb probe lists the cameras that are there"},
	{[]string{"is no camera"}, "name another source; kerb probe lists the cameras that are there"},
	{[]string{"is not installed"}, "install it"},
	{[]string{"single picture"}, "with every = \"10s\" it counts by instants, in zones"},
	{[]string{" 404", "answers 4", "multipart", "a JPEG picture or an MP4 clip", "web page"}, "correct the path of source: the camera's own page or manual names it"},
	{[]string{"answers 5"}, "restart the camera; its own page or log tells more"},
	{[]string{"has no M-JPEG"}, "switch the camera's stream to H.264, on its own page"},
	{[]string{"RTSP/1.0", "RTSP", "malformed HTTP", "closed the connection", "reset by peer", "camera's answer", "(SDP)", "answers 0"}, "check scheme and port of source: rtsp:// is mostly 554, http:// 80"},
	{[]string{"server gave HTTP response to HTTPS", "first record does not look like a TLS", "tls: "}, "check scheme and port of source: https:// and rtsps:// need a port that speaks TLS; kerb probe shows the certificate"},
	{[]string{"x509"}, "put the SHA-256 of the camera's certificate into site.toml: kerb probe shows it"},
	{[]string{"another certificate"}, "if the camera was replaced, put the new certificate into site.toml: kerb probe shows it"},
	{[]string{"connection refused"}, "the camera is on, but nothing listens at this port: check the port of source"},
	{[]string{"no such host", "lookup"}, "check the camera's name in source, or give its IP address"},
	{[]string{"not followed"}, "name in source the address to which the camera leads"},
	{[]string{"sends nothing", "no JPEG picture", "no picture that can be read", "no picture came", "no more pictures", "part is"}, "open its address in a browser or player; where nothing moves there, correct the path of source or restart the camera"},
	{[]string{"no route", "unreachable", "timeout", "timed out", "no picture for", "no picture within", "does not answer", "deadline"}, "check power, cable and address of the camera"},
}

// Camera returns what to do about the error of a camera. It is never empty.
func Camera(reason string) string {
	return find(cameraRules, reason, otherCamera)
}

// brokerRules are tried in order.
var brokerRules = []rule{
	{[]string{"broker.url must"}, "correct broker.url in site.toml"},
	{[]string{"MQTT 5 only"}, "let the broker accept MQTT 3.1.1, too"},
	{[]string{"retained"}, "let the broker accept retained messages and a retained Last Will"},
	{[]string{"not Authorized", "not authorized", "bad user name", "identifier rejected"}, "correct broker.user and broker.password_file in site.toml, or the broker's list of users"},
	{[]string{"first record does not look like a TLS", "does not speak TLS"}, "this port does not speak TLS: mqtt:// or another port (mqtts: 8883)?"},
	{[]string{"certificate", "x509", "tls: "}, "check ca_file, the broker's certificate and the device's clock"},
	{[]string{"connection refused"}, "is the broker running, and is the port right (mqtt: 1883, mqtts: 8883)?"},
	{[]string{"no such host", "lookup"}, "check the broker's name in broker.url and the name server"},
	{[]string{"reset by peer", "EOF"}, "if the broker wants TLS on this port, write mqtts://; if it has none, mqtt://"},
	{[]string{"i/o timeout", "no answer", "no acknowledgement", "closed by the broker or the network"}, "does an MQTT broker listen at this port, and does a firewall let it through?"},
	{[]string{"no route", "unreachable", "timed out", "network is down"}, "check the network cable or the modem"},
	{[]string{"password"}, "check broker.password_file"},
}

// Broker returns what to do about the error of a connection to the broker. It is
// never empty.
func Broker(reason string) string {
	return find(brokerRules, reason, otherBroker)
}

// loopRules are tried in order.
var loopRules = []rule{
	{[]string{"group gpio"}, "give the user that group, then log in again or restart kerb"},
	{[]string{"loops.conf"}, "install loops.conf as flash.md tells"},
	{[]string{"busy"}, "another program has the line: stop it; kerb probe names it"},
	{[]string{"no gpio line"}, "check the names of the lines: kerb probe lists them"},
}

// Loops returns what to do about the error of the loops. It is never empty.
func Loops(reason string) string {
	return find(loopRules, reason, otherLoops)
}

// Texts returns every advice of Camera, Broker and Loops, for those who translate them.
func Texts() []string {
	texts := []string{otherCamera, otherBroker, otherLoops}
	for _, r := range slices.Concat(cameraRules, brokerRules, loopRules) {
		texts = append(texts, r.advice)
	}
	return texts
}

// Join returns a reason with what to do about it. A reason that tells that itself stays
// as it is.
func Join(reason, do string) string {
	if do == changeAsTold || strings.Contains(reason, "access control needs") {
		return reason
	}
	return reason + " → " + do
}

// find returns the advice of the first rule that fits, or else another.
func find(rules []rule, reason, other string) string {
	for _, r := range rules {
		for _, part := range r.parts {
			if strings.Contains(reason, part) {
				return r.advice
			}
		}
	}
	return other
}

// lossRules give the word for an error of a camera; they are tried in order.
var lossRules = []rule{
	{[]string{"refuses the user", "asks for a user", " 401", " 403", "authentication"}, "login"},
	{[]string{"no such file or directory", "no such device", "is no camera"}, "missing"},
	{[]string{"connection refused"}, "refused"},
	{[]string{"no picture for", "no picture within", "does not answer", "sends nothing", "no more pictures", "deadline", "stalled"}, "silent"},
	{[]string{"no such host", "lookup", "no route", "unreachable", "timeout", "timed out"}, "unreachable"},
	{[]string{
		" 404", "answers 0", "answers 4", "answers 5", "multipart", "a JPEG picture or an MP4 clip", "web page", "reset by peer", "RTSP", "malformed", "camera's answer", "(SDP)", "has no M-JPEG",
		"no JPEG picture", "no picture that can be read", "no picture came", "tls: ", "TLS", "certificate", "closed the connection",
	}, "protocol"},
}

// CameraWord returns the kind of a camera's error as one word, for those who may not
// read its text: login, missing, refused, silent, unreachable, protocol or other.
func CameraWord(reason string) string { return find(lossRules, reason, "other") }
