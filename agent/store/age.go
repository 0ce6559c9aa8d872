package store

import "time"

// spoolAge is the age of the spool's history in ms: time that the device was on, and
// the time that it was off as far as a believed wall clock has shown it. Windows are
// dated by it, so that their retention ends without a clock.
//
// It runs with the time since boot, and goes on across boots from where the last
// transaction left it. A boot therefore loses the time after its last transaction: at
// most one window. Time that the device was off is added as soon as the clock is
// believed in the boot after it.
type spoolAge struct {
	Boot string `json:"boot,omitempty"` // UUID of the boot that Base belongs to
	Base int64  `json:"base,omitempty"` // age at the start of Boot
	Last int64  `json:"last,omitempty"` // age at the last transaction

	Wall     int64  `json:"wall,omitempty"`      // the last believed reading of the wall clock, ms since 1970 …
	WallAge  int64  `json:"wall_age,omitempty"`  // … the age at that reading …
	WallBoot string `json:"wall_boot,omitempty"` // … and its boot
}

// reading is one reading of the clocks that decide the retention.
type reading struct {
	wall time.Time // zero: not believed
	boot string
	age  int64 // ms; 0 where dated is false
	off  int64 // ms that the age lacks: see timeOff
	// dated says that the store has a clock of the time since boot.
	dated bool
}

// read reads the clocks under the account st.
func (s *Store) read(st *state) reading {
	boot, _ := s.stamp()
	r := reading{wall: s.now(), boot: boot}
	if s.uptime != nil {
		r.age, r.dated = st.Age.Base+s.uptime().Milliseconds(), true
		r.off = st.Age.timeOff(r)
	}
	return r
}

// startAge continues the age in this boot.
func (s *Store) startAge() {
	boot, _ := s.stamp()
	if s.uptime == nil || boot != "" && s.st.Age.Boot == boot {
		return
	}
	if s.st.Age == (spoolAge{}) {
		s.st.Age.Base = -s.uptime().Milliseconds() // it begins now
	} else {
		s.st.Age.Base = s.st.Age.Last
	}
	s.st.Age.Boot, s.dirty = boot, true
}

// mark notes the reading with which a transaction is written.
func (a *spoolAge) mark(r reading) {
	if !r.dated {
		return
	}
	a.Last = max(a.Last, r.age)
	if !r.wall.IsZero() {
		a.Wall, a.WallAge, a.WallBoot = r.wall.UnixMilli(), r.age, r.boot
	}
}

// timeOff returns the time in ms that the device was off before this boot, and that
// the age lacks: known with the first believed reading of the wall clock in a boot.
func (a *spoolAge) timeOff(r reading) int64 {
	if !r.dated || r.wall.IsZero() || a.WallBoot == "" || a.WallBoot == r.boot {
		return 0
	}
	return max(0, r.wall.UnixMilli()-a.Wall-(r.age-a.WallAge))
}

// dateWindow sets the age of the spool at which a window ended. A gap that is made
// later, for the time in which the agent did not run, is dated by its label.
func (r reading) dateWindow(e *Entry, uptime time.Duration) {
	if !r.dated {
		return
	}
	ago := max(0, uptime-e.Release.Mono())
	if !r.wall.IsZero() && e.Synced && e.isGap() {
		ago = max(ago, r.wall.Sub(e.Release.EndTime()))
	}
	e.dated, e.age = true, r.age-ago.Milliseconds()
}

// isExpired reports whether the retention of a window is over: keep after its end. By
// the age of the spool, which nobody can set; and for a window of an earlier boot also
// by the wall clock, where both its label and the clock are believed. A label that lies
// further in the future than the retention was stamped by a wrong clock.
func (r reading) isExpired(e Entry, keep time.Duration) bool {
	age := r.age - e.age // an undated window is as old as the spool
	if e.Boot != r.boot {
		age += r.off
	}
	if r.dated && age >= keep.Milliseconds() {
		return true
	}
	if r.wall.IsZero() || e.dated && (!e.Synced || r.boot != "" && e.Boot == r.boot) {
		return false
	}
	end := e.Release.EndTime()
	return !end.After(r.wall.Add(-keep)) || end.After(r.wall.Add(keep))
}
