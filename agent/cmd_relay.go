package main

import (
	"context"
	"log/slog"
	"time"

	"kerb/agent/relay"
	"kerb/agent/terminal"
	"kerb/agent/uplink"
)

// relayCmd is kerb relay: at the centre, from the broker to the formats of others.
type relayCmd struct {
	Broker       string        `help:"The broker of the devices: mqtt[s]:// or ws[s]://." placeholder:"URL"`
	To           string        `help:"The format: csv, csv-fr, datex2, ngsi-ld, sensorthings or thingsboard." names:"formats" placeholder:"FORMAT"`
	Out          string        `help:"A folder, http[s]:// for POST, or mqtt[s]:// for sensorthings and thingsboard." placeholder:"DIR|URL"`
	State        string        `help:"Folder of the position; each -to and -out needs its own." default:"kerb-relay" placeholder:"DIR"`
	User         string        `help:"User at the broker of the devices." placeholder:"NAME"`
	PasswordFile string        `help:"File with its password." placeholder:"F"`
	CA           string        `help:"PEM file of the only authorities accepted for the broker." placeholder:"F"`
	Cert         string        `help:"PEM file of the relay's certificate." placeholder:"F"`
	Key          string        `help:"PEM file of its key." placeholder:"F"`
	Devices      string        `help:"Which devices: tenant/site/device, + for any." default:"+/+/+" placeholder:"FILTER"`
	OutAuth      string        `help:"File with the header Authorization for -out, or the user name of its broker." placeholder:"F"`
	OutCA        string        `help:"PEM file of the only authorities accepted for -out." placeholder:"F"`
	Country      string        `help:"Country of the publisher in DATEX II, two letters." default:"xx" placeholder:"CC"`
	Batch        int           `help:"Most windows of one document." default:"500"`
	Gather       time.Duration `help:"Collect windows for this long before a document is written." default:"5s"`
	Confirm      time.Duration `help:"Tell devices at most this often which windows the sink has; 0s: never." default:"1m"`
	Ask          time.Duration `help:"Ask for missing windows again after this time; 0s: never." default:"1m"`
	MostWaiting  int           `help:"Most GiB of windows that wait for the sink; further ones stay at their devices." default:"20"`
	Keep         time.Duration `help:"How long the ledger keeps a day." default:"840h"`
	MadeUp       bool          `help:"Made-up streams, as of kerb demo, too."`

	HomeAssistant bool   `name:"homeassistant" help:"Announce the streams to Home Assistant on the same broker; without it, remove what was announced."`
	Ledger        bool   `help:"Do not relay: print the ledger of -state, as text."`
	Day           string `help:"With -ledger: this day alone." placeholder:"YYYY-MM-DD"`
	JSON          bool   `help:"With -ledger: as JSON."`
	CSV           bool   `help:"With -ledger: as CSV."`
	HTML          bool   `help:"With -ledger: as one page."`
}

// Help is the long help: the guarantees, and their limits.
func (*relayCmd) Help() string { return relay.Help }

// Run relays until it is stopped, or prints the ledger.
func (c *relayCmd) Run(ctx context.Context, t terminal.Terminal) error {
	if c.Ledger {
		return relay.PrintLedger(t.Out, c.State, c.Day, relay.LedgerForm{JSON: c.JSON, CSV: c.CSV, HTML: c.HTML})
	}
	if c.Broker == "" || c.To == "" || c.Out == "" {
		return terminal.UsageError("kerb relay needs -broker, -to and -out, or -ledger")
	}
	return relay.Run(ctx, relay.Opts{
		Broker: c.Broker, User: c.User, PasswordFile: c.PasswordFile, TLS: uplink.TLS{CAFile: c.CA, CertFile: c.Cert, KeyFile: c.Key}, Topics: c.Devices,
		Format: c.To, Out: c.Out, OutAuth: c.OutAuth, OutCA: c.OutCA, Country: c.Country, MadeUp: c.MadeUp, HomeAssistant: c.HomeAssistant,
		Dir: c.State, Batch: c.Batch, Gather: c.Gather, Confirm: c.Confirm, Ask: c.Ask, Keep: c.Keep, MostWaiting: int64(c.MostWaiting) << 30, Log: slog.New(slog.NewTextHandler(t.Err, nil)),
	})
}
