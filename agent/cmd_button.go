package main

import (
	"context"
	"errors"

	"kerb/agent/terminal"
	"kerb/drivers/button"
)

// buttonCmd is kerb button: it waits for a push button, and says so by its end.
type buttonCmd struct {
	Line string `arg:"" help:"The GPIO line between which and ground the button is, such as GPIO21."`
	Chip string `help:"The label of its chip; left out: the board's own." placeholder:"LABEL"`
}

// Help is the long help: what follows the command.
func (b *buttonCmd) Help() string {
	return `Waits until the button has been held for three seconds, and ends with exit status 0: put kerb aim after it. kerb-button.service does that. A line that is shorted when kerb opens it counts after it was open only; a line that another program has, such as the one of a loop, is an error.`
}

// Run waits until the button was held, or ctx ends, which is an error.
func (b *buttonCmd) Run(ctx context.Context, _ terminal.Terminal) (err error) {
	r, err := button.Open(b.Chip, b.Line)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return button.WaitHeld(ctx, r, button.Hold)
}
