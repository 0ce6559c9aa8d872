package config

import "time"

// The limits of the values in site.toml. Messages and schema repeat them. They
// were chosen by hand and are wide: they find slips, such as a wrong unit.
const (
	maxName      = 32  // bytes, of every name
	maxLatitude  = 90  // degrees, north and south
	maxLongitude = 180 // degrees, east and west
	fullCircle   = 360 // degrees, of a bearing
	maxText      = 200 // bytes, of a text that is published

	minFPS, maxFPS             = 1, 30 // pictures a second that are processed
	minPollEvery, maxPollEvery = 10 * time.Second, time.Hour
	minCorners, maxCorners     = 3, 32    // of a polygon
	minHeight, maxHeight       = 0.5, 20  // m, of an upright thing
	minDistance, maxDistance   = 1, 100   // m, on the ground
	anyAspect                  = 16.0 / 9 // of a picture whose shape is not known yet

	maxCSINumber           = 9        // of the connector
	minCSISide, maxCSISide = 64, 4096 // pixels
	maxCSIRate             = 60       // pictures a second
	yuvAlignment           = 64       // pixels: rows of yuv420 are padded to a multiple of it

	maxDebounce                  = 20 * time.Millisecond // of the kernel
	minSpacing, maxSpacing       = 1, 50                 // m, between leading edges of two loops
	minLoopLength, maxLoopLength = 0.3, 30               // m, along the road
	minMeanLength, maxMeanLength = 1, 20                 // m, of vehicles

	minExpect, defaultExpect, maxExpect          = 0.01, 1, 100 // ratio of two counts
	minTolerance, defaultTolerance, maxTolerance = 0.01, 0.25, 0.9
)
