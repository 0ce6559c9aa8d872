package lamp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"kerb/drivers/lamp"
)

// pinLog records the levels of a pin with their times.
type pinLog struct {
	start time.Time
	text  strings.Builder
	err   error
}

func (f *pinLog) Out(l gpio.Level) error {
	fmt.Fprintf(&f.text, "%v %v\n", time.Since(f.start), l)
	return f.err
}

func TestLampBlinksItsCode(t *testing.T) {
	for _, c := range []struct {
		code lamp.Code
		want string
	}{
		{lamp.Dark, "0s Low"},
		{lamp.Counting, "0s High|80ms Low|3s High|3.08s Low"},
		{lamp.Busy, "0s High|1s Low|3s High|4s Low"},
		{lamp.Offline, "0s High|80ms Low|320ms High|400ms Low|3s High"},
		{lamp.Unsighted, "0s High|80ms Low|320ms High|400ms Low|640ms High|720ms Low|3s High"},
		{lamp.Aiming, "0s High|500ms Low|1s High"},
		{lamp.Fault, "0s High|100ms Low|200ms High|300ms Low"},
	} {
		t.Run(c.code.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &pinLog{start: time.Now()}
				l := lamp.New(f, false)
				l.SetCode(c.code)
				ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
				defer cancel()
				if err := l.Run(ctx); err != nil {
					t.Fatal(err)
				}
				got := strings.ReplaceAll(f.text.String(), "\n", "|")
				if !strings.HasPrefix(got, c.want) || !strings.HasSuffix(got, "7s Low|") {
					t.Errorf("showed %s, want %s… and dark at the end", got, c.want)
				}
			})
		})
	}
}

func TestNewCodeIsShownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &pinLog{start: time.Now()}
		l := lamp.New(f, true) // shines when low
		l.SetCode(lamp.Counting)
		ctx, cancel := context.WithTimeout(t.Context(), 1700*time.Millisecond)
		defer cancel()
		go func() {
			time.Sleep(1500 * time.Millisecond)
			l.SetCode(lamp.Counting) // no change
			l.SetCode(lamp.Fault)
		}()
		if err := l.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(f.text.String(), "\n", "|"); !strings.Contains(got, "0s Low|80ms High|1.5s Low|1.6s High|") {
			t.Errorf("showed %s", got)
		}
	})
}

func TestRunReturnsTheErrorOfItsPin(t *testing.T) {
	gone := errors.New("gone")
	l := lamp.New(&pinLog{err: gone}, false)
	if err := l.Run(t.Context()); !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
}
