//go:build amd64 || arm64

package h264

// filterBelow8 filters 8 samples along a horizontal edge, filterBeside8 along a
// vertical one. tc0 and tc1 are for 4 samples each.
//
//go:noescape
func filterBelow8(q0 *byte, stride, alpha, beta, tc0, tc1 int)

//go:noescape
func filterBeside8(q0 *byte, stride, alpha, beta, tc0, tc1 int)

// filterNormal filters an edge of 16 samples with bS below 4, as
// filterNormalPortable.
func filterNormal(luma []byte, at, across, along, alpha, beta int, tc *[4]int8) {
	for k := 0; k < 4; k += 2 {
		if tc[k] < 0 && tc[k+1] < 0 {
			continue
		}
		i := at + 4*k*along
		if along == 1 {
			_, _ = luma[i-3*across], luma[i+2*across+7]
			filterBelow8(&luma[i], across, alpha, beta, int(tc[k]), int(tc[k+1]))
			continue
		}
		_, _ = luma[i-4], luma[i+7*along+3]
		filterBeside8(&luma[i], along, alpha, beta, int(tc[k]), int(tc[k+1]))
	}
}
