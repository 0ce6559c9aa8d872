package rtsp

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	gortsplibauth "github.com/bluenviron/gortsplib/v5/pkg/auth"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
)

// camera is a real RTSP server, that of MediaMTX, with one stream of M-JPEG.
type camera struct {
	server *gortsplib.Server
	stream *gortsplib.ServerStream
}

const user, password = "viewer", `p"as s\word` // no colon: the server refuses it with Basic

func (c *camera) OnDescribe(x *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if !x.Conn.VerifyCredentials(x.Request, user, password) {
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

func (c *camera) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

func (c *camera) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// startCamera starts the server with one method of authentication. It sends
// pictures until the test ends.
func startCamera(t *testing.T, method gortsplibauth.VerifyMethod) *url.URL {
	t.Helper()
	c := &camera{}
	for try := 0; ; try++ { // a pair of ports may be taken in between
		rtp, rtcp, err := udpPair()
		if err != nil {
			t.Fatal(err)
		}
		even := rtp.LocalAddr().(*net.UDPAddr).Port
		rtp.Close()
		rtcp.Close()
		c.server = &gortsplib.Server{
			Handler: c, RTSPAddress: "127.0.0.1:0", AuthMethods: []gortsplibauth.VerifyMethod{method},
			UDPRTPAddress: fmt.Sprintf("127.0.0.1:%d", even), UDPRTCPAddress: fmt.Sprintf("127.0.0.1:%d", even+1),
		}
		if err = c.server.Start(); err == nil {
			break
		}
		if try == 20 {
			t.Fatal(err)
		}
	}
	medium := &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{&format.MJPEG{}}}
	c.stream = &gortsplib.ServerStream{Server: c.server, Desc: &description.Session{Medias: []*description.Media{medium}}}
	if err := c.stream.Initialize(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() { c.send(t, medium, ended) })
	t.Cleanup(func() {
		close(ended)
		sending.Wait()
		c.stream.Close()
		c.server.Close()
	})
	u, err := url.Parse("rtsp://" + c.server.NetListener().Addr().String() + "/live?ch=1")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// send sends a picture every 40 ms.
func (c *camera) send(t *testing.T, medium *description.Media, ended <-chan struct{}) {
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewYCbCr(image.Rect(0, 0, 64, 48), image.YCbCrSubsampleRatio420), nil); err != nil {
		t.Error(err)
	}
	encoder, err := (&format.MJPEG{}).CreateEncoder()
	if err != nil {
		t.Error(err)
		return
	}
	for n := uint32(0); ; n++ {
		packets, err := encoder.Encode(picture.Bytes())
		if err != nil {
			t.Error(err)
			return
		}
		for _, p := range packets {
			p.Timestamp = n * 3600
			_ = c.stream.WritePacketRTP(medium, p)
		}
		select {
		case <-ended:
			return
		case <-time.After(40 * time.Millisecond):
		}
	}
}

// udpPair opens two sockets, at an even port and the next one.
func udpPair() (rtp, rtcp *net.UDPConn, err error) {
	for range 64 {
		if rtp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			return nil, nil, err
		}
		if port := rtp.LocalAddr().(*net.UDPAddr).Port; port%2 == 0 {
			if rtcp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port + 1}); err == nil {
				return rtp, rtcp, nil
			}
		}
		rtp.Close()
	}
	return nil, nil, fmt.Errorf("no two ports one after the other are free")
}

func TestARealServerIsReadWithEachMethodOfAuthentication(t *testing.T) {
	for name, method := range map[string]gortsplibauth.VerifyMethod{
		"Basic": gortsplibauth.VerifyMethodBasic, "Digest MD5": gortsplibauth.VerifyMethodDigestMD5, "Digest SHA-256": gortsplibauth.VerifyMethodDigestSHA256,
	} {
		for transport, open := range map[string]func(context.Context) (rtp, rtcp *net.UDPConn, err error){
			"TCP": nil, "UDP": func(context.Context) (*net.UDPConn, *net.UDPConn, error) { return udpPair() },
		} {
			t.Run(name+" over "+transport, func(t *testing.T) {
				t.Parallel()
				u := startCamera(t, method)
				s, err := Open(t.Context(), u, Opts{User: user, Password: password, OpenUDP: open, Connect: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				units := make(chan []byte, 100)
				if err := s.Play(func(u []byte, _ bool) { units <- u }); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					c, err := jpeg.DecodeConfig(bytes.NewReader(<-units))
					if err != nil || c.Width != 64 || c.Height != 48 {
						t.Errorf("picture of %d×%d: %v", c.Width, c.Height, err)
					}
				}
				s.Close()
				if _, err := Open(t.Context(), u, Opts{User: user, Password: "wrong", Connect: time.Minute}); err != ErrRefused {
					t.Errorf("a wrong password: %v", err)
				}
			})
		}
	}
}
