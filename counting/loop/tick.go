package loop

import "time"

// schedule says when something may next have to happen to an input.
func (c *Counter) schedule(in *input) {
	due := never
	sooner := func(t time.Duration) { due = min(due, t) }
	if in.bursting {
		sooner(in.lastEdge)
	}
	switch {
	case in.lane < 0:
	case in.relay && in.on && in.faults == 0:
		sooner(in.since + relayDelay)
	case in.relay && !in.on && in.faults != 0:
		sooner(in.since + c.limits.Calm)
	case in.relay:
	case in.on:
		if s := c.stuckAfter(in); s > 0 && in.faults&StuckOn == 0 {
			sooner(in.since + s)
		}
		if in.card == Presence && in.stage == 0 {
			sooner(in.since + slowAfter)
		} else if in.card == Presence && in.stage == 1 {
			sooner(in.since + standingAfter)
		}
	default:
		if in.faults&StuckOn != 0 {
			sooner(in.since + c.limits.Calm)
		}
		if in.faults&(Slow|Standing) != 0 {
			sooner(in.lastSlow + c.limits.Calm)
		}
		if in.faults&dead == 0 {
			sooner(in.recheck)
		}
	}
	if in.faults&Chatter != 0 {
		sooner(in.lastBad + c.limits.Calm)
	}
	if in.day.due > 0 {
		sooner(in.day.due)
	}
	in.due = due
	c.next = min(c.next, due)
}

// tick does what is due on an input at t.
func (c *Counter) tick(in *input, t time.Duration) {
	if in.bursting && in.lastEdge <= t {
		c.rest(in)
	}
	if in.relay {
		c.tickRelay(in, t)
		c.schedule(in)
		return
	}
	if in.lane < 0 {
		c.schedule(in)
		return
	}
	if in.on {
		c.tickCovered(in, t)
	} else {
		c.tickFree(in, t)
	}
	if in.faults&Chatter != 0 && t >= in.lastBad+c.limits.Calm {
		c.clear(in, Chatter, t)
	}
	if in.day.due > 0 && t >= in.day.due {
		c.sample(in, t)
	}
	c.schedule(in)
}

func (c *Counter) tickCovered(in *input, t time.Duration) {
	o := t - in.since
	if s := c.stuckAfter(in); s > 0 && o >= s {
		c.fault(in, StuckOn, t, 0)
	}
	if in.card == Pulse {
		return
	}
	w := &c.lanes[in.lane].win
	if in.stage == 0 && o >= slowAfter {
		in.stage = 1
		if in.slot == 0 {
			w.Slow++
		}
		if c.limits.Alert {
			c.fault(in, Slow, t, 0)
		}
	}
	if in.stage == 1 && o >= standingAfter {
		in.stage = 2
		if in.slot == 0 {
			w.Stood++
		}
		if c.limits.Alert {
			c.fault(in, Standing, t, 0)
		}
	}
}

func (c *Counter) tickFree(in *input, t time.Duration) {
	if in.faults&StuckOn != 0 && t >= in.since+c.limits.Calm {
		in.quietAt = t
		c.clear(in, StuckOn, t)
	}
	if in.faults&(Slow|Standing) != 0 && t >= in.lastSlow+c.limits.Calm {
		c.clear(in, Slow, t)
		c.clear(in, Standing, t)
	}
	if in.faults&dead != 0 || t < in.recheck {
		return
	}
	limit := c.limits.Silent[0]
	in.recheck = never
	if c.wall != nil { // the limit changes with the hour
		w := c.wall(t)
		limit = c.limits.Silent[w.Hour()]
		past := time.Duration(w.Minute())*time.Minute + time.Duration(w.Second())*time.Second + time.Duration(w.Nanosecond())
		in.recheck = t + time.Hour - past
	}
	if limit > 0 && t >= in.quietAt+limit {
		in.proof = 0
		c.fault(in, Silent, t, 0)
		return
	}
	if limit > 0 {
		in.recheck = min(in.recheck, in.quietAt+limit)
	}
}

// tickRelay passes a fallen relay on to the loops it speaks for.
func (c *Counter) tickRelay(in *input, t time.Duration) {
	switch {
	case in.on && in.faults == 0 && t >= in.since+relayDelay:
		in.faults = Relay
	case !in.on && in.faults != 0 && t >= in.since+c.limits.Calm:
		in.faults = 0
	default:
		return
	}
	for i := range c.in {
		o := &c.in[i]
		if o.lane != in.lane || o.relay {
			continue
		}
		if in.faults != 0 {
			c.fault(o, Relay, t, 0)
		} else {
			o.quietAt = t
			c.clear(o, Relay, t)
		}
		c.schedule(o)
	}
}

// stuckAfter is the longest presence that is no fault.
func (c *Counter) stuckAfter(in *input) time.Duration {
	if in.card == Pulse {
		return min(pulseStuck, c.limits.StuckOn)
	}
	return c.limits.StuckOn
}
