package store

import "errors"

// IdentifyWith replaces the identity of the spool's file in the file system.
func IdentifyWith(f func(path string) string) Option { return func(s *Store) { s.identify = f } }

// Kill ends the store as kill -9 does: nothing is written any more.
func (s *Store) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.db == nil {
		return errors.New("no file")
	}
	db := s.db
	s.db = nil
	return db.Close()
}
