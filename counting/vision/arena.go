package vision

// arena holds every byte that bears a picture or from which one could be restored:
// the picture, its reduction, the background model and the masks computed from them.
// It is one block, allocated here only and wiped as a whole.
type arena struct {
	block []byte

	picture []byte // as delivered, full size

	// Planes of the working grid.
	now      []byte // the picture, reduced
	before   []byte // the one before
	bgHi     []byte // background, whole levels
	bgBefore []byte // bgHi of the look before; the two swap
	bgLo     []byte // background, 1/256 levels
	dev      []byte // mean deviation from the background, 1/8 levels
	age      []byte // looks that the background has held, saturating
	cand     []byte // candidate for the background, levels
	candAge  []byte // looks that it has held, saturating
	activity []byte // looks until a change of the pixel is forgotten
	covered  []byte // coveredMoving or coveredStopped: a track covers the pixel
	evidence []byte // bits: different, changed, shaded
	mask     []byte // evidence, filtered: 0 or 1

	maxActivity uint8 // looks that a change is remembered
}

// gridPlanes is the number of planes that have one byte per pixel of the grid.
const gridPlanes = 13

// arenaSize is the size of the block in bytes, of a picture and a grid with so many
// pixels.
func arenaSize(picture, grid int) int { return picture + gridPlanes*grid }

// newArena makes an arena on Go's heap.
func newArena(picture, grid int) *arena {
	return carveArena(make([]byte, arenaSize(picture, grid)), picture, grid)
}

// carveArena divides a block of arenaSize bytes into the planes.
func carveArena(block []byte, picture, grid int) *arena {
	a := &arena{block: block}
	rest := a.block
	cut := func(n int) []byte {
		p := rest[:n:n]
		rest = rest[n:]
		return p
	}
	a.picture = cut(picture)
	for _, p := range []*[]byte{
		&a.now, &a.before, &a.bgHi, &a.bgBefore, &a.bgLo, &a.dev, &a.age,
		&a.cand, &a.candAge, &a.activity, &a.covered, &a.evidence, &a.mask,
	} {
		*p = cut(grid)
	}
	return a
}

// clearPicture overwrites the picture as delivered.
func (a *arena) clearPicture() { clear(a.picture) }

// wipeBlock overwrites the whole block.
func (a *arena) wipeBlock() { clear(a.block) }
