package loop

import (
	"testing"
	"unsafe"
)

func TestStructsHaveTheKernelsSize(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"gpio_v2_line_request", unsafe.Sizeof(lineRequest{}), ioctlGetLine >> 16 & 0x3fff},
		{"gpio_v2_line_values", unsafe.Sizeof(lineValues{}), ioctlGetValues >> 16 & 0x3fff},
		{"gpio_v2_line_event", unsafe.Sizeof(lineEvent{}), 48},
		{"gpio_v2_line_config", unsafe.Sizeof(lineConfig{}), 272},
	} {
		if c.got != c.want {
			t.Errorf("%s has %d bytes, the kernel's has %d", c.name, c.got, c.want)
		}
	}
}
