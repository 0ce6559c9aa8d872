package uplink

import "kerb/agent/store"

// Window is the payload of one window as it is sent.
func Window(device string, e store.Entry) []byte { return appendWindow(nil, device, e) }
