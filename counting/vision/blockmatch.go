package vision

import "math"

// estimateShift finds by how much the pixels of box that no object explains moved
// between the look before and now: least mean absolute difference around the expected shift,
// refined by a parabola. sure is 0 if the pixels say nothing, up to 1.
func (a *arena) estimateShift(w, h int, b box, ex, ey float64) (x, y, sure float64) {
	x0, y0 := max(int(b.x0), 0), max(int(b.y0), 0)
	x1, y1 := min(int(b.x1+0.5), w), min(int(b.y1+0.5), h)
	if x1-x0 < 3 || y1-y0 < 3 {
		return ex, ey, 0
	}
	const most = 96
	var at [most]int32
	n := 0
	step := 1 + int(math.Sqrt(float64((x1-x0)*(y1-y0))/most))
	ix, iy := int(math.Round(ex)), int(math.Round(ey))
	r := 2 + int(0.08*b.h())
	r = min(r, 5)
	for yy := y0; yy < y1; yy += step {
		if yy+iy-r < 0 || yy+iy+r >= h {
			continue
		}
		for xx := x0 + (yy/step&1)*step/2; xx < x1 && n < most; xx += step {
			if a.mask[yy*w+xx] != 0 && xx+ix-r >= 0 && xx+ix+r < w {
				at[n] = int32(yy*w + xx)
				n++
			}
		}
	}
	if n < 12 {
		return ex, ey, 0
	}
	var cost [11][11]int32
	best, bx, by := int32(math.MaxInt32), 0, 0
	var sum int64
	for dy := -r; dy <= r; dy++ {
		for dx := -r; dx <= r; dx++ {
			off := int32((iy+dy)*w + ix + dx)
			var s int32
			for _, p := range at[:n] {
				d := int32(a.before[p]) - int32(a.now[p+off])
				if d < 0 {
					d = -d
				}
				s += min(d, 60)
			}
			s += s * int32(dx*dx+dy*dy) / 128
			cost[dy+r][dx+r] = s
			sum += int64(s)
			if s < best {
				best, bx, by = s, dx, dy
			}
		}
	}
	mean := float64(sum) / float64((2*r+1)*(2*r+1))
	if mean <= float64(2*n) {
		return ex, ey, 0
	}
	sure = 1 - float64(best)/mean
	if bx == -r || bx == r || by == -r || by == r {
		sure /= 2
	}
	sx, sy := 0.0, 0.0
	if bx > -r && bx < r {
		sx = parabolaVertex(cost[by+r][bx+r-1], best, cost[by+r][bx+r+1])
	}
	if by > -r && by < r {
		sy = parabolaVertex(cost[by+r-1][bx+r], best, cost[by+r+1][bx+r])
	}
	return float64(ix+bx) + sx, float64(iy+by) + sy, sure
}

// parabolaVertex is where between -½ and ½ the parabola through three costs is least.
func parabolaVertex(l, c, r int32) float64 {
	den := float64(l - 2*c + r)
	if den <= 0 {
		return 0
	}
	return max(min(0.5*float64(l-r)/den, 0.5), -0.5)
}
