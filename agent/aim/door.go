package aim

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// The door lets two in, each with a code of its own that is good once. Five
// wrong codes, by whomever, and the session is over: whoever guesses costs the
// engineer a walk to the device, and learns nothing.
const (
	maxViewers = 2
	maxWrong   = 5
	codeDigits = 6
	idle       = time.Minute // a viewer who was not heard of for so long gives up the place to another
)

// What the door answers.
var (
	errWrong  = errors.New("wrong code")
	errFull   = errors.New("two are in already")
	errLocked = errors.New("too many wrong codes")
)

type door struct {
	now func() time.Duration
	say func(code, id string) // told whenever there is a new code

	mu    sync.Mutex
	code  string
	id    string // by which the code is named in the account
	wrong int
	in    []*guest
}

// guest is who entered with a code.
type guest struct {
	id    string // of the code
	key   [sha256.Size]byte
	token string // that every change must bring
	heard time.Duration
}

func newDoor(now func() time.Duration, say func(code, id string)) *door {
	d := &door{now: now, say: say}
	d.renew()
	return d
}

// renew makes the next code. It is called under the lock, or before there is
// anybody.
func (d *door) renew() {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	d.code = fmt.Sprintf("%0*d", codeDigits, n)
	d.id = random(4)
	d.say(d.code, d.id)
}

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// enter lets in who knows the code. The key is for the cookie.
func (d *door) enter(code string) (key string, g *guest, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wrong >= maxWrong {
		return "", nil, errLocked
	}
	if d.full() {
		return "", nil, errFull
	}
	if subtle.ConstantTimeCompare([]byte(code), []byte(d.code)) != 1 {
		if d.wrong++; d.wrong >= maxWrong {
			return "", nil, errLocked
		}
		return "", nil, errWrong
	}
	d.wrong = 0
	d.makeRoom()
	key = random(32)
	g = &guest{id: d.id, key: sha256.Sum256([]byte(key)), token: random(16), heard: d.now()}
	d.in = append(d.in, g)
	d.renew()
	return key, g, nil
}

// full reports whether nobody else can come in now.
func (d *door) full() bool {
	if len(d.in) < maxViewers {
		return false
	}
	for _, g := range d.in {
		if d.now()-g.heard > idle {
			return false
		}
	}
	return true
}

func (d *door) makeRoom() {
	for i, g := range d.in {
		if len(d.in) >= maxViewers && d.now()-g.heard > idle {
			d.in = append(d.in[:i], d.in[i+1:]...)
			return
		}
	}
}

// known is the guest with that key, or nil.
func (d *door) known(key string) *guest {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum := sha256.Sum256([]byte(key))
	for _, g := range d.in {
		if subtle.ConstantTimeCompare(g.key[:], sum[:]) == 1 {
			g.heard = d.now()
			return g
		}
	}
	return nil
}

// leave gives up a place.
func (d *door) leave(g *guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, o := range d.in {
		if o == g {
			d.in = append(d.in[:i], d.in[i+1:]...)
			return
		}
	}
}

func (d *door) isFull() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full()
}

func (d *door) locked() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wrong >= maxWrong
}

func (d *door) viewers() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.in)
}
