// Package fleet is kerb fleet: at the centre it makes the site files of a fleet from a
// template and a table, signs what a platform wants of its devices, sends it in stages,
// and judges the fleet's health from the retained messages, and from the ledger of a relay.
//
// It refuses to make any file while one row of the table is wrong, to send a message that
// the device would not parse, and to go on to the next stage while a device of the
// present one refuses or goes back. It holds no signing key longer than the signing, and
// reads no count.
package fleet

// Command is the command line of kerb fleet.
type Command struct {
	Sites SitesCommand `cmd:"" help:"Make the site files of a fleet from a template and a table."`
	Sign  SignCommand  `cmd:"" help:"Sign what the devices shall run under; a second person signs with -add."`
	Send  SendCommand  `cmd:"" help:"Send what was signed, in stages, and watch each."`
	Check CheckCommand `cmd:"" help:"Judge the health of all devices of a broker."`
}

// Help is the long help: the way from a table to a changed fleet.
func (Command) Help() string {
	return `The way of a change: kerb fleet sites makes a site file for each row of a table; kerb fleet sign puts policy, site file or both into one message for each device and signs it; another person signs with kerb fleet sign -add; kerb fleet send keeps the messages at the broker, first for one device, then for 1 % of them, then for all, and stops where a device refuses or goes back. The devices' policy must have the command want: firmware-notes/signing.md has the rules, firmware-notes/fleet.md the way step by step.`
}
