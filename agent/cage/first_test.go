package cage

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// limitsOf starts this binary with a command line of kerb's and returns core and file
// size of the limits that hold when its main begins, or when the launched program does.
func limitsOf(t *testing.T, words ...string) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{"kerb"}, words...)
	cmd.Env = append(os.Environ(), childEnv+"=limits")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	text := ""
	for _, name := range []string{"Max core file size", "Max file size"} {
		m := regexp.MustCompile(name + ` +(\w+) +(\w+) `).FindSubmatch(out)
		if m == nil {
			t.Fatalf("%q: no %s in %s", words, name, out)
		}
		text += string(bytes.Join(m[1:], []byte("/"))) + " "
	}
	return text
}

// printLimits prints the limits of this process and ends it.
func printLimits(*outcome) error {
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return err
	}
	_, _ = os.Stdout.Write(text)
	os.Exit(0)
	return nil
}

// A child of kerb has its limits before its main begins, and a camera's program before
// its first instruction. The control, another command of kerb, has none of them.
func TestTheLimitsHoldBeforeAProcessDoesAnything(t *testing.T) {
	free := limitsOf(t, "version")
	core := "1/1 "
	if regexp.MustCompile(`^\w+/0 `).MatchString(free) {
		core = "0/0 " // this test runs without cores: the limit is never raised
	}
	if regexp.MustCompile(`\w+/0 $`).MatchString(free) || free == core+"0/0 " {
		t.Fatalf("the control is limited: %s", free)
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"sense", "north"}, core + "0/0 "},
		{[]string{"look", "north"}, core + "0/0 "},
		{[]string{"sketch", "north"}, core + "0/0 "},
		{LaunchArgs("/bin/cat", []string{"cat", "/proc/self/limits"}), core + "0/0 "},
	} {
		if got := limitsOf(t, c.words...); got != c.want {
			t.Errorf("%q: core and file size %s, want %s; the control has %s", c.words, got, c.want, free)
		}
	}
	if got := limitsOf(t, "uplink"); got == free || got == core+"0/0 " {
		t.Errorf("uplink, which has a spool: %s; the control has %s", got, free)
	}
}
