package relay

import (
	"encoding/json"
	"io"
)

// Help is the long help of kerb relay.
const Help = `Runs at the centre, not on a device. It takes the windows of all devices from the broker and writes them in another format. A window is acknowledged to the broker when it is in the relay's own file, and leaves that file when the sink has it: after fsync, a status 2xx or a PUBACK. What the sink does not take waits; beyond -most-waiting, or with less than 1 GiB of free disk, further windows stay at their devices and are asked for later. Missing windows are asked for again, and devices are told what the sink has, where their policies allow the commands resend and watermark.

The ledger accounts for every window of every stream and day: due, received, gaps by reason, gone, still to be had, and clashes: windows that came under a number of another one, with other bytes; and sums with 95 % intervals from the noise. It can be printed while the relay runs.`

// LedgerForm is the form in which a ledger is printed; none set: text.
type LedgerForm struct{ JSON, CSV, HTML bool }

// PrintLedger prints the ledger of the position in dir. day restricts it to one; "": all.
func PrintLedger(w io.Writer, dir, day string, f LedgerForm) error {
	l, err := ReadLedger(dir, day)
	switch {
	case err != nil:
		return err
	case f.JSON:
		return json.NewEncoder(w).Encode(l)
	case f.CSV:
		return l.WriteCSV(w)
	case f.HTML:
		return l.WriteHTML(w)
	}
	return l.WriteText(w)
}
