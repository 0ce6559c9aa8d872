package statuspage

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// The limits of the server, chosen by hand.
const (
	headerTime   = 5 * time.Second
	answerTime   = 30 * time.Second // the uplink may take five seconds to tell a history
	idleTime     = 30 * time.Second
	headerBytes  = 8 << 10
	shutdownTime = 2 * time.Second
	keyBytes     = 16
)

// Listen listens at a loopback address. Another address is an error: the page has no
// login of its own.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%s is no loopback address: reach the page by ssh -L, or with the code of kerb aim", address), l.Close())
	}
	return l, nil
}

// Serve serves a page below a random path until ctx ends, and tells its address. Another
// user of the machine, and a page in the browser that guesses the port, get 404 without
// that path.
func Serve(ctx context.Context, l net.Listener, page http.Handler, tell func(address string)) error {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	prefix := "/" + hex.EncodeToString(key)
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, page))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		bye, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer done()
		err := server.Shutdown(bye)
		if err != nil {
			err = server.Close()
		}
		stopped <- err
	})
	tell("http://" + l.Addr().String() + prefix + "/")
	err := server.Serve(l)
	if !stop() {
		err = <-stopped
	}
	return err
}
