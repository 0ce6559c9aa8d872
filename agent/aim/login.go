package aim

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

// The rules of the login. Each code admits one viewer. After maxWrong wrong
// codes in a row, from all peers together, the session ends: guessing forces
// the engineer to walk to the device, and five of a million codes are a chance
// of 0.0005 %.
const (
	maxViewers = 2
	maxWrong   = 5
	codeDigits = 6
	codeCount  = 1_000_000   // codes of codeDigits digits
	idleAfter  = time.Minute // a viewer without a request for so long can be replaced by another

	idBytes    = 4  // ids only tell the codes of one audit log apart: they are no secret
	keyBytes   = 32 // random bytes of the cookie that logs a viewer in
	tokenBytes = 16 // random bytes of the token against CSRF
)

// The errors of admit.
var (
	errWrong  = errors.New("wrong code")
	errFull   = errors.New("two are in already")
	errLocked = errors.New("too many wrong codes")
)

// login is the throttle of one-time codes and the list of viewers who are
// logged in.
type login struct {
	now      func() time.Duration
	announce func(code, id string) // called with every new code

	mu         sync.Mutex
	code       string
	id         string // stands for the code in the audit log
	wrongCodes int
	viewers    []*viewer
}

// viewer is a browser that logged in with a code.
type viewer struct {
	id    string // of the code that admitted it
	key   [sha256.Size]byte
	token string // required in every request that changes state (against CSRF)
	heard time.Duration
}

// newLogin returns a login with its first code, which is drawn where first is empty.
func newLogin(now func() time.Duration, say func(code, id string), first string) *login {
	d := &login{now: now, announce: say}
	d.setCode(cmp.Or(first, drawCode()))
	return d
}

// drawCode draws a code.
func drawCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(codeCount))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return fmt.Sprintf("%0*d", codeDigits, n)
}

// setCode announces the next code, with a new id. The caller holds the lock, or no
// goroutine runs yet.
func (d *login) setCode(code string) {
	d.code, d.id = code, randomHex(idBytes)
	d.announce(d.code, d.id)
}

// ParseCode returns the six digits of a code that a person chose; blanks between them
// are ignored. One whose digits are all the same, or rise or fall by one, is refused: an
// attacker has maxWrong tries, and begins with these.
func ParseCode(text string) (string, error) {
	code := strings.Join(strings.Fields(text), "")
	if len(code) != codeDigits || keepDigits(code) != code {
		return "", fmt.Errorf("the code must be %d digits", codeDigits)
	}
	step := int(code[1]) - int(code[0])
	for i := 1; i < len(code); i++ {
		if int(code[i])-int(code[i-1]) != step || step < -1 || step > 1 {
			return code, nil
		}
	}
	return "", fmt.Errorf("the code is too easy to guess: choose %d digits without an order", codeDigits)
}

// randomHex returns a number of random bytes in hexadecimal.
func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// admit logs a viewer in when the code is right, and draws the next code. key
// goes into the cookie. The error is errLocked, errFull or errWrong.
func (d *login) admit(code string) (key string, g *viewer, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wrongCodes >= maxWrong {
		return "", nil, errLocked
	}
	if d.isFullLocked() {
		return "", nil, errFull
	}
	if subtle.ConstantTimeCompare([]byte(code), []byte(d.code)) != 1 {
		if d.wrongCodes++; d.wrongCodes >= maxWrong {
			return "", nil, errLocked
		}
		return "", nil, errWrong
	}
	d.wrongCodes = 0
	d.evictIdle()
	key = randomHex(keyBytes)
	g = &viewer{id: d.id, key: sha256.Sum256([]byte(key)), token: randomHex(tokenBytes), heard: d.now()}
	d.viewers = append(d.viewers, g)
	d.setCode(drawCode())
	return key, g, nil
}

// isFullLocked reports whether no further viewer can log in now. The caller
// holds the lock.
func (d *login) isFullLocked() bool {
	if len(d.viewers) < maxViewers {
		return false
	}
	for _, g := range d.viewers {
		if d.now()-g.heard > idleAfter {
			return false
		}
	}
	return true
}

// evictIdle removes one idle viewer when all places are taken.
func (d *login) evictIdle() {
	for i, g := range d.viewers {
		if len(d.viewers) >= maxViewers && d.now()-g.heard > idleAfter {
			d.viewers = append(d.viewers[:i], d.viewers[i+1:]...)
			return
		}
	}
}

// findViewer returns the viewer with a key, in constant time, and records the
// request; nil if there is none.
func (d *login) findViewer(key string) *viewer {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum := sha256.Sum256([]byte(key))
	for _, g := range d.viewers {
		if subtle.ConstantTimeCompare(g.key[:], sum[:]) == 1 {
			g.heard = d.now()
			return g
		}
	}
	return nil
}

// removeViewer logs a viewer out.
func (d *login) removeViewer(g *viewer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, o := range d.viewers {
		if o == g {
			d.viewers = append(d.viewers[:i], d.viewers[i+1:]...)
			return
		}
	}
}

// isFull reports whether no further viewer can log in now.
func (d *login) isFull() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.isFullLocked()
}

// isLocked reports whether there were maxWrong wrong codes.
func (d *login) isLocked() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wrongCodes >= maxWrong
}

// triesLeft returns how many wrong codes end the session.
func (d *login) triesLeft() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maxWrong - d.wrongCodes
}

// viewerCount returns how many viewers are logged in.
func (d *login) viewerCount() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.viewers)
}
