package vision

import "encoding/binary"

// reduceRows averages k×k pixels of the picture into each pixel of the grid's rows
// [y0, y1) and blacks the masks out.
func (c *Counter) reduceRows(y0, y1 int) {
	k, stride := c.k, c.o.Width
	for y := y0; y < y1; y++ {
		out := c.arena.now[y*c.w : y*c.w+c.w]
		rows := c.arena.picture[y*k*stride : (y+1)*k*stride]
		switch k {
		case 1:
			copy(out, rows)
		case 2:
			halveRow(out, rows[:stride], rows[stride:])
		default:
			shrinkRow(out, rows, k, stride)
		}
		if c.masked != nil {
			for x, b := range c.masked[y*c.w : y*c.w+c.w] {
				if b {
					out[x] = 0
				}
			}
		}
	}
}

// halveRow averages 2×2 pixels of two rows, rounded to the nearest level.
func halveRow(out, up, low []byte) {
	up, low = up[:2*len(out)], low[:2*len(out)]
	for x := range out {
		i := 2 * x
		out[x] = uint8((uint32(up[i]) + uint32(up[i+1]) + uint32(low[i]) + uint32(low[i+1]) + 2) >> 2)
	}
}

// maxReduction is the largest k of a Counter.
const maxReduction = maxSide / maxGridWidth

// lanes are the even bytes of a word of eight pixels.
const lanes = 0x00ff00ff00ff00ff

// shrinkRow averages k×k pixels of k rows of stride bytes, rounded to the nearest
// level; k is at most maxReduction. Eight pixels of the grid at a time, it adds the
// columns in 16-bit lanes of words (SWAR), then k sums of columns each. A division by
// k×k is a multiplication, exact for sums below 2^18.
func shrinkRow(out, rows []byte, k, stride int) {
	const bits = 40
	var columns [8 * maxReduction]uint16
	n := uint64(k * k)
	inverse := (1<<bits + n - 1) / n
	x := 0
	for ; x+8 <= len(out); x += 8 {
		sumColumns(columns[:8*k], rows[x*k:], k, stride)
		o := out[x : x+8]
		if k == 3 {
			for i := range o {
				c := columns[3*i : 3*i+3]
				o[i] = uint8((uint64(c[0]+c[1]+c[2]) + n/2) * inverse >> bits)
			}
			continue
		}
		for i := range o {
			sum := n / 2
			for _, v := range columns[i*k : i*k+k] {
				sum += uint64(v)
			}
			o[i] = uint8(sum * inverse >> bits)
		}
	}
	clear(columns[:])
	for ; x < len(out); x++ {
		sum := n / 2
		for j := range k {
			for _, v := range rows[j*stride+x*k:][:k] {
				sum += uint64(v)
			}
		}
		out[x] = uint8(sum / n)
	}
}

// sumColumnsPortable writes the sums of k rows of stride bytes, for a multiple of eight
// columns.
func sumColumnsPortable(columns []uint16, rows []byte, k, stride int) {
	for ; len(columns) >= 8; columns, rows = columns[8:], rows[8:] {
		var even, odd uint64
		for j, at := 0, 0; j < k; j, at = j+1, at+stride {
			w := binary.LittleEndian.Uint64(rows[at:])
			even += w & lanes
			odd += w >> 8 & lanes
		}
		c := columns[:8]
		c[0], c[1], c[2], c[3] = uint16(even), uint16(odd), uint16(even>>16), uint16(odd>>16)
		c[4], c[5], c[6], c[7] = uint16(even>>32), uint16(odd>>32), uint16(even>>48), uint16(odd>>48)
	}
}
