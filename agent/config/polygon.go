package config

// crosses reports whether two sides of a polygon cross that are no neighbours, or
// whether it has no area: then it does not cover the place between its corners.
func crosses(g [][2]float64) bool {
	area := 0.0
	for i, p := range g {
		q := g[(i+1)%len(g)]
		area += p[0]*q[1] - q[0]*p[1]
		for j := i + 2; j < len(g); j++ {
			if i == 0 && j == len(g)-1 {
				continue // the last side ends where the first begins
			}
			if meet(p, q, g[j], g[(j+1)%len(g)]) {
				return true
			}
		}
	}
	const least = 1e-6 // of the picture; chosen by hand
	return area < least && area > -least
}

// meet reports whether the segments from a to b and from c to d cross.
func meet(a, b, c, d [2]float64) bool {
	return side(a, b, c)*side(a, b, d) < 0 && side(c, d, a)*side(c, d, b) < 0
}

// side is positive where p lies on one side of the line through a and b, negative on the
// other, 0 on it.
func side(a, b, p [2]float64) float64 {
	return (b[0]-a[0])*(p[1]-a[1]) - (b[1]-a[1])*(p[0]-a[0])
}
