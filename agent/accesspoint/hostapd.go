package accesspoint

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// configText returns the configuration of hostapd (hostapd.conf): WPA2 with CCMP, on a
// channel that every country allows, for at most four stations that cannot reach each
// other. The SSID is written in hexadecimal digits, so that no name can add a line.
func configText(r Request, n Network) string {
	return strings.Join([]string{
		"interface=" + interfaceName, "driver=nl80211",
		fmt.Sprintf("ssid2=%x", n.SSID),
		"country_code=" + r.Country, "ieee80211d=1", "hw_mode=g", "channel=6", "wmm_enabled=1",
		"wpa=2", "wpa_key_mgmt=WPA-PSK", "rsn_pairwise=CCMP", "wpa_passphrase=" + n.Passphrase,
		"max_num_sta=4", "ap_isolate=1", "",
	}, "\n")
}

// stopTimeout is the time from SIGTERM to SIGKILL. Chosen by hand.
const stopTimeout = 5 * time.Second

// hostapd is a running hostapd.
type hostapd struct {
	kill  context.CancelFunc
	ended <-chan struct{}
}

// startHostapd starts the program hostapd with its configuration on a pipe: the
// passphrase is in no file. It waits until the access point is enabled. failed gets the
// error of one that ends later. Its lines are not logged, since they hold the addresses
// of telephones; the last ones before a failed start are in the error.
func startHostapd(ctx context.Context, program, config string, failed chan<- error) (*hostapd, error) {
	ctx, kill := context.WithCancel(ctx)
	read, write, err := os.Pipe()
	if err != nil {
		kill()
		return nil, err
	}
	defer read.Close()
	c := exec.CommandContext(ctx, program, "/proc/self/fd/3")
	c.ExtraFiles = []*os.File{read}
	c.Env = []string{}
	// After SIGTERM it tells the telephones that it ends.
	c.Cancel, c.WaitDelay = func() error { return c.Process.Signal(syscall.SIGTERM) }, stopTimeout
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.StdoutPipe()
	if err == nil {
		c.Stderr = c.Stdout
		_, err = write.WriteString(config) // less than a pipe holds
	}
	if err = errors.Join(err, write.Close()); err != nil {
		kill()
		return nil, err
	}
	started, enabled, ended := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		// Pdeathsig comes when the thread that started the program ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.Start()
		started <- err
		if err != nil {
			return
		}
		readLines(out, enabled)
		if err := c.Wait(); ctx.Err() == nil {
			failed <- fmt.Errorf("hostapd ended: %w", err)
		}
	}()
	if err = <-started; err == nil {
		err = <-enabled
	} else if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s is not here: apt install hostapd", program)
	}
	if err != nil {
		kill()
		<-ended
		return nil, err
	}
	return &hostapd{kill, ended}, nil
}

// lastLines is how many lines of hostapd are in the error of a failed start.
const lastLines = 5

// readLines reads all lines of hostapd. enabled gets nil once the access point is enabled,
// or an error with the last lines.
func readLines(out io.Reader, enabled chan<- error) {
	var lines []string
	told := false
	for s := bufio.NewScanner(out); s.Scan(); {
		if strings.Contains(s.Text(), "AP-ENABLED") && !told {
			enabled <- nil
			told = true
		}
		if !told {
			lines = append(lines, s.Text())
			lines = lines[max(0, len(lines)-lastLines):]
		}
	}
	if !told {
		enabled <- errors.New("hostapd did not start: " + strings.Join(lines, "; "))
	}
}

// Close ends hostapd.
func (h *hostapd) Close() error {
	h.kill()
	<-h.ended
	return nil
}
