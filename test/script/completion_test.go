package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// complete asks the completion of bash for what may follow a command line.
func complete(t *testing.T, words ...string) []string {
	t.Helper()
	cmd := exec.Command("bash", append([]string{"-c", `source <(kerb completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _kerb; printf '%s\n' "${COMPREPLY[@]}"`, "bash"}, words...)...)
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func TestTheShellCompletesCommandsFlagsAndNames(t *testing.T) {
	site, err := filepath.Abs("../../configs/site-camera.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want string }{
		{"kerb he", "help"},
		{"kerb run -s", "-site"},
		{"kerb run --s", "--site"},
		{"kerb aim -site " + site + " ", "north"},
		{"kerb demo -detector n", "neural"},
		{"kerb demo --scene d", "dusk"},
		{"kerb schema aud", ""},
		{"kerb schema cou", "count"},
		{"kerb audit v", "verify"},
		{"kerb help a", "aim acceptance audit"},
	} {
		if got := strings.Join(complete(t, strings.Split(c.line, " ")...), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
}

// Each command that the help lists has an example, and kerb reads its command line.
func TestEveryCommandHasAnExampleThatIsRead(t *testing.T) {
	kerb := filepath.Join(bin, "kerb")
	out, err := exec.Command(kerb).Output()
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^  ([a-z]+) +\S.*\n +\$ (kerb .*)$`).FindAllStringSubmatch(string(out), -1)
	if n := len(regexp.MustCompile(`(?m)^  [a-z]+ `).FindAllString(string(out), -1)); n != len(commands) || n < 15 {
		t.Errorf("%d commands, %d examples:\n%s", n, len(commands), out)
	}
	for _, c := range commands {
		args := strings.Fields(c[2])[1:]
		if args[0] != c[1] {
			t.Errorf("the example of %s is %s", c[1], c[2])
		}
		// With -help behind it, kerb parses the line and runs nothing.
		if out, err := exec.Command(kerb, append(args, "-help")...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", c[2], err, out)
		}
	}
	if out, err := exec.Command(kerb, "check", "-conect", "-help").CombinedOutput(); err == nil {
		t.Errorf("the control, a wrong flag, is read:\n%s", out)
	}
}
