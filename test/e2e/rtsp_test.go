package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
)

// hostileRTSP are cameras of RTSP that attack the decoder: with what
// they say, with how much they say, and with pictures that never end. It counts
// those that were asked to play.
func hostileRTSP(played *atomic.Int64) map[string]func(net.Conn) {
	const jpeg, avc = "m=video 0 RTP/AVP 26\r\na=control:1\r\n", "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:1\r\n"
	long := bytes.Repeat([]byte{0xa5}, 1380)
	endless := func(head string, more []byte) func(net.Conn) {
		return func(c net.Conn) {
			for _, err := c.Write([]byte(head)); err == nil; _, err = c.Write(more) {
			}
		}
	}
	return map[string]func(net.Conn){
		"rtsp-noise":   endless("", []byte("\x00\xff$\x00\xff\xffRTSP/9.9 -1\r\n\r\n")),
		"rtsp-headers": endless("RTSP/1.0 200 OK\r\nCSeq: 1\r\n", bytes.Repeat([]byte("X-More: and more\r\n"), 1000)),
		"rtsp-body":    endless("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 999999999\r\n\r\n", make([]byte, 64<<10)),
		"rtsp-sdp":     converse(played, strings.Repeat("m=video 0 RTP/AVP 26\r\n", 2000), nil),
		// A picture of 2040×2040 in fragments of which the last never comes.
		"rtsp-jpeg": converse(played, jpeg, func(n int) []byte {
			at := 1380 * n
			return append([]byte{0, byte(at >> 16), byte(at >> 8), byte(at), 1, 80, 255, 255}, long...)
		}),
		// A unit in fragments (FU-A) without end, after a start.
		"rtsp-unit": converse(played, avc, func(n int) []byte {
			head := byte(5)
			if n == 0 {
				head |= 0x80
			}
			return append([]byte{0x7c, head}, long...)
		}),
		// Pictures that are none, as fast as they can be sent.
		"rtsp-junk": converse(played, avc, func(n int) []byte { return append([]byte{byte(n)}, long[:n%1380]...) }),
	}
}

// converse answers as a camera does, of which sdp is the picture, and then sends
// what payload gives as RTP over TCP: RFC 2326, section 10.12.
func converse(played *atomic.Int64, sdp string, payload func(n int) []byte) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			method, cseq, err := request(in)
			if err != nil {
				return
			}
			head := "RTSP/1.0 200 OK\r\nCSeq: " + cseq + "\r\nSession: 1\r\n"
			switch body := "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + sdp; method {
			case "OPTIONS":
				head += "Public: DESCRIBE, SETUP, PLAY\r\n\r\n"
			case "DESCRIBE":
				head += fmt.Sprintf("Content-Type: application/sdp\r\nContent-Base: rtsp://%s/x/\r\nContent-Length: %d\r\n\r\n%s", c.LocalAddr(), len(body), body)
			case "SETUP":
				head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
			default:
				head += "\r\n"
			}
			if _, err := c.Write([]byte(head)); err != nil {
				return
			}
			if method == "PLAY" && payload != nil {
				played.Add(1)
				flood(c, payload)
				return
			}
		}
	}
}

func request(in *bufio.Reader) (method, cseq string, err error) {
	for first := true; ; first = false {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			return method, cseq, nil
		case first:
			method, _, _ = strings.Cut(line, " ")
		case strings.HasPrefix(line, "CSeq:"):
			cseq = strings.TrimSpace(line[5:])
		}
	}
}

func flood(c net.Conn, payload func(n int) []byte) {
	for n := 0; ; n++ {
		body := payload(n)
		packet := []byte{'$', 0, 0, 0, 0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
		if len(body) > 0 && body[0] == 0 {
			packet[5] = 26
		}
		binary.BigEndian.PutUint16(packet[2:], uint16(12+len(body)))
		binary.BigEndian.PutUint16(packet[6:], uint16(n))
		if _, err := c.Write(append(packet, body...)); err != nil {
			return
		}
	}
}
