package vision

// arena holds every byte that bears a picture or could be turned back into
// one: the picture itself, its reduction, the models and the masks derived
// from them. It is one block, asked for here and nowhere else, and wiped as a
// whole.
type arena struct {
	block []byte

	picture []byte // as delivered, full size

	// Planes of the working grid.
	now      []byte // the picture, reduced
	before   []byte // the one before it
	bgHi     []byte // background, whole levels
	bgBefore []byte // bgHi of the look before; the two take turns
	bgLo     []byte // background, 1/256 levels
	dev      []byte // mean deviation from the background, 1/8 levels
	age      []byte // how long the background has held, in looks, saturating
	cand     []byte // what may become the background
	candAge  []byte // how long it has held, in looks, saturating
	activity []byte // looks until a change of the pixel is forgotten
	covered  []byte // 1: a followed object covers the pixel
	evidence []byte // evidence per pixel: bits different, changed
	mask     []byte // raw, filtered

	maxActivity uint8 // what act is set to by a change
}

const gridPlanes = 13

// arenaSize is how many bytes the block must have.
func arenaSize(picture, grid int) int { return picture + gridPlanes*grid }

// newArena is an arena on Go's heap.
func newArena(picture, grid int) *arena {
	return carveArena(make([]byte, arenaSize(picture, grid)), picture, grid)
}

// carveArena makes an arena of a block.
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

// clearPicture overwrites the delivered picture.
func (a *arena) clearPicture() { clear(a.picture) }

// wipeBlock overwrites everything.
func (a *arena) wipeBlock() { clear(a.block) }
