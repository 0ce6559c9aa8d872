package loop

import "time"

// scheduleInput sets the input's earliest deadline: the end of a burst, of a
// delay or of a calm time, the next alert, the next look at Silent and the end of
// the daily check's sample.
func (c *Counter) scheduleInput(in *input) {
	due := never
	sooner := func(t time.Duration) { due = min(due, t) }
	if in.bursting {
		sooner(in.lastEdge)
	}
	switch {
	case in.lane < 0:
	case in.relay && in.on && in.faults == 0:
		sooner(in.changedAt + relayDelay)
	case in.relay && !in.on && in.faults != 0:
		sooner(in.changedAt + c.limits.Calm)
	case in.relay:
	case in.on:
		if s := c.limits.StuckOn; s > 0 && in.faults&StuckOn == 0 {
			sooner(in.changedAt + s)
		}
		if in.card == Presence && in.alertStage == alertNone {
			sooner(in.changedAt + slowAfter)
		} else if in.card == Presence && in.alertStage == alertSlow {
			sooner(in.changedAt + standingAfter)
		}
	default:
		if in.faults&(Slow|Standing) != 0 {
			sooner(in.lastSlow + c.limits.Calm)
		}
		if in.faults&(untrustedFaults|Silent) == 0 {
			sooner(in.recheckAt)
		}
	}
	if in.faults&Chatter != 0 {
		sooner(in.lastChatter + c.limits.Calm)
	}
	if in.day.due > 0 {
		sooner(in.day.due)
	}
	in.due = due
	c.nextDue = min(c.nextDue, due)
}

// runInput handles the deadlines of an input that are due at t, and sets the next.
func (c *Counter) runInput(in *input, t time.Duration) {
	if in.bursting && in.lastEdge <= t {
		c.endBurst(in)
	}
	if in.relay {
		c.runRelay(in, t)
		c.scheduleInput(in)
		return
	}
	if in.lane < 0 {
		c.scheduleInput(in)
		return
	}
	if in.on {
		c.runCovered(in, t)
	} else {
		c.runFree(in, t)
	}
	if in.faults&Chatter != 0 && t >= in.lastChatter+c.limits.Calm {
		c.clearFault(in, Chatter, t)
	}
	if in.day.due > 0 && t >= in.day.due {
		c.closeSample(in, t)
	}
	c.scheduleInput(in)
}

// runCovered raises StuckOn, Slow and Standing on a loop that is covered at t.
func (c *Counter) runCovered(in *input, t time.Duration) {
	o := t - in.changedAt
	if s := c.limits.StuckOn; s > 0 && o >= s && in.faults&StuckOn == 0 {
		in.stuckSigns = 0
		c.raiseFault(in, StuckOn, t, 0)
	}
	if in.card == Pulse {
		return
	}
	w := &c.lanes[in.lane].window
	if in.alertStage == alertNone && o >= slowAfter {
		in.alertStage = alertSlow
		if in.slot == 0 {
			w.Slow++
		}
		if c.limits.Alert {
			c.raiseFault(in, Slow, t, 0)
		}
	}
	if in.alertStage == alertSlow && o >= standingAfter {
		in.alertStage = alertStanding
		if in.slot == 0 {
			w.Stood++
		}
		if c.limits.Alert {
			c.raiseFault(in, Standing, t, 0)
		}
	}
}

// runFree clears Slow and Standing on a loop that is free at t, and raises Silent after
// the hour's limit.
func (c *Counter) runFree(in *input, t time.Duration) {
	if in.faults&(Slow|Standing) != 0 && t >= in.lastSlow+c.limits.Calm {
		c.clearFault(in, Slow, t)
		c.clearFault(in, Standing, t)
	}
	if in.faults&(untrustedFaults|Silent) != 0 || t < in.recheckAt {
		return
	}
	limit := c.limits.Silent[0]
	in.recheckAt = never
	if c.wall != nil { // the limit changes with the hour
		w := c.wall(t)
		limit = c.limits.Silent[w.Hour()]
		past := time.Duration(w.Minute())*time.Minute + time.Duration(w.Second())*time.Second + time.Duration(w.Nanosecond())
		in.recheckAt = t + time.Hour - past
	}
	if limit > 0 && t >= in.silentSince+limit {
		in.lifeSigns = 0
		c.raiseFault(in, Silent, t, 0)
		return
	}
	if limit > 0 {
		in.recheckAt = min(in.recheckAt, in.silentSince+limit)
	}
}

// runRelay raises Relay on the lane's loops once their relay has fallen for
// relayDelay, and clears it after Limits.Calm.
func (c *Counter) runRelay(in *input, t time.Duration) {
	switch {
	case in.on && in.faults == 0 && t >= in.changedAt+relayDelay:
		in.faults = Relay
	case !in.on && in.faults != 0 && t >= in.changedAt+c.limits.Calm:
		in.faults = 0
	default:
		return
	}
	for i := range c.inputs {
		o := &c.inputs[i]
		if o.lane != in.lane || o.relay {
			continue
		}
		if in.faults != 0 {
			c.raiseFault(o, Relay, t, 0)
		} else {
			o.silentSince = t
			c.clearFault(o, Relay, t)
		}
		c.scheduleInput(o)
	}
}
