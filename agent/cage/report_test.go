package cage

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOnlyARefusalIsARefusal(t *testing.T) {
	for errno, holds := range map[unix.Errno]bool{
		0: false, unix.EPERM: true, unix.EACCES: true, unix.ENOSYS: true, unix.EFBIG: true, unix.EROFS: true, unix.EPROTONOSUPPORT: true,
		unix.EBADF: false, unix.EINVAL: false, unix.ENOENT: false, unix.ECONNREFUSED: false, unix.EFAULT: false,
		unix.ESRCH: false, unix.EINPROGRESS: false, unix.EIO: false, unix.EMFILE: false,
	} {
		if w := wallFromErrno("x", "y", errno); w.Holds != holds {
			t.Errorf("%v: holds is %v", errno, w.Holds)
		}
	}
}

func TestStrictNamesEveryWallThatIsMissing(t *testing.T) {
	r := Report{Role: "sense", Walls: []Wall{
		wallFromErrno("listen", "bind", unix.EPERM),
		wallFromErrno("fork", "clone(SIGCHLD)", 0),
		wallFromErrno("connect", "connect(-1)", unix.EBADF),
		{Name: "dial", Reason: "speaks to its broker"},
	}}
	err := r.Strict()
	if err == nil {
		t.Fatal("two walls are missing, and Strict is content")
	}
	for _, want := range []string{"sense", "it can fork", "it can connect", "EBADF"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	for _, not := range []string{"listen", "dial"} {
		if strings.Contains(err.Error(), not) {
			t.Errorf("%q in %v", not, err)
		}
	}
}

func TestAnEmptyReportIsNotStrict(t *testing.T) {
	if (Report{}).Strict() == nil {
		t.Error("nothing was measured, and Strict is content")
	}
}

func TestReportSurvivesJSON(t *testing.T) {
	r := Report{"sense", "arm", "6.12", 6, []Wall{wallFromErrno("listen", "bind", unix.EPERM), {Name: "dial", Reason: "why"}}}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(r, again) {
		t.Errorf("%+v is not %+v: %v", again, r, err)
	}
}

func TestAMistakenPlanIsRefusedBeforeAnythingIsDone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gone")
	for what, role := range map[string]Role{
		"no state directory": Uplink().State(file),
		"a file for a state": Uplink().State("/proc/self/stat"),
		"a state nowhere":    Uplink().State(""),
	} {
		if err := role.makePlan().checkPaths(); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
