package board

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// tree writes a fake /sys; a name that ends in @ is a symbolic link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if p[len(p)-1] == '@' {
			err = os.Symlink(content, p[:len(p)-1])
		} else {
			err = os.WriteFile(p, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLookReadsAllFacts(t *testing.T) {
	const block = "devices/platform/emmc2bus/mmc_host/mmc0/mmc0:0001/block/mmcblk0"
	dir := tree(t, map[string]string{
		"class/thermal/thermal_zone0/temp":                            "54530\n",
		"devices/platform/soc/soc:firmware/get_throttled":             "50005\n",
		"class/hwmon/hwmon1/name":                                     "rpi_volt\n",
		"class/hwmon/hwmon1/in0_lcrit_alarm":                          "0\n",
		"dev/block/179:4@":                                            "../../" + block + "/mmcblk0p4",
		block + "/mmcblk0p4/partition":                                "4\n",
		"devices/platform/emmc2bus/mmc_host/mmc0/mmc0:0001/life_time": "0x03 0x05\n",
		block + "/device@":                                            "../..",
		"fs/ext4/mmcblk0p4/lifetime_write_kbytes":                     "1048576\n",
		"fs/ext4/mmcblk0p4/errors_count":                              "2\n",
	})
	h := ReadHealth(os.DirFS(dir), "179:4")
	want := Health{
		Temperature: 54.53, HasTemperature: true, Throttled: 0x50005, HasThrottled: true,
		Written: 1 << 30, Errors: 2, Life: 5,
	}
	if h != want {
		t.Errorf("got  %+v\nwant %+v", h, want)
	}
	both := []string{"under_voltage", "throttled"}
	if !reflect.DeepEqual(h.Throttled.ActiveFlags(), both) || !reflect.DeepEqual(h.Throttled.PastFlags(), both) {
		t.Errorf("flags: now %q, since %q", h.Throttled.ActiveFlags(), h.Throttled.PastFlags())
	}
}

func TestVoltageAlarmReplacesMissingFirmwareFlags(t *testing.T) {
	dir := tree(t, map[string]string{"class/hwmon/hwmon0/name": "cpu_thermal\n", "class/hwmon/hwmon3/name": "rpi_volt\n", "class/hwmon/hwmon3/in0_lcrit_alarm": "1\n"})
	h := ReadHealth(os.DirFS(dir), "8:1")
	if !h.HasThrottled || len(h.Throttled.ActiveFlags()) != 1 || h.Throttled.ActiveFlags()[0] != "under_voltage" {
		t.Errorf("got %+v", h)
	}
}

func TestMissingFactsStayZero(t *testing.T) {
	if h := ReadHealth(os.DirFS(tree(t, map[string]string{"class/thermal/thermal_zone0/temp": "warm\n"})), "8:1"); h != (Health{}) {
		t.Errorf("made up: %+v", h)
	}
}
