package vision

// arena holds every byte that bears a picture or could be turned back into
// one: the picture itself, its reduction, the models and the masks derived
// from them. It is one block, asked for here and nowhere else, and wiped as a
// whole.
type arena struct {
	block []byte

	picture []byte // as delivered, full size

	// Planes of the working grid.
	now    []byte // the picture, reduced
	before []byte // the one before it
	bgHi   []byte // background, whole levels
	bgWas  []byte // bgHi of the look before; the two take turns
	bgLo   []byte // background, 1/256 levels
	dev    []byte // mean deviation from the background, 1/8 levels
	age    []byte // how long the background has held, in looks, saturating
	cand   []byte // what may become the background
	held   []byte // how long it has held, in looks, saturating
	act    []byte // looks until a change of the pixel is forgotten
	claim  []byte // 1: a followed object covers the pixel
	raw    []byte // evidence per pixel: bits different, changed
	mask   []byte // raw, filtered

	linger uint8 // what act is set to by a change
}

const planes = 13

// arenaSize is how many bytes the block must have.
func arenaSize(picture, grid int) int { return picture + planes*grid }

// newArena is an arena on Go's heap.
func newArena(picture, grid int) *arena {
	return carve(make([]byte, arenaSize(picture, grid)), picture, grid)
}

// carve makes an arena of a block.
func carve(block []byte, picture, grid int) *arena {
	a := &arena{block: block}
	rest := a.block
	cut := func(n int) []byte {
		p := rest[:n:n]
		rest = rest[n:]
		return p
	}
	a.picture = cut(picture)
	for _, p := range []*[]byte{
		&a.now, &a.before, &a.bgHi, &a.bgWas, &a.bgLo, &a.dev, &a.age,
		&a.cand, &a.held, &a.act, &a.claim, &a.raw, &a.mask,
	} {
		*p = cut(grid)
	}
	return a
}

// forget overwrites the delivered picture.
func (a *arena) forget() { clear(a.picture) }

// wipe overwrites everything.
func (a *arena) wipe() { clear(a.block) }
