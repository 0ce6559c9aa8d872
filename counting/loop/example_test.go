package loop_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"kerb/counting/loop"
)

// Two loops 4 m apart, over which a car drives at 72 km/h and then a lorry.
func Example() {
	edges := &tape{batch: 99, end: 10 * time.Second, edges: []loop.Edge{
		{Line: 0, At: 0, Level: true},
		{Line: 1, At: 0, Level: true},
		{Line: 0, On: true, At: 1000 * time.Millisecond},
		{Line: 1, On: true, At: 1200 * time.Millisecond},
		{Line: 0, At: 1310 * time.Millisecond},
		{Line: 1, At: 1510 * time.Millisecond},
		{Line: 0, On: true, At: 5000 * time.Millisecond},
		{Line: 1, On: true, At: 5250 * time.Millisecond},
		{Line: 0, At: 5875 * time.Millisecond},
		{Line: 1, At: 6125 * time.Millisecond},
	}}
	c, err := loop.New(edges, loop.Opts{
		Lines:  []loop.Line{{Name: "GPIO17"}, {Name: "GPIO27"}},
		Lanes:  []loop.Lane{{Stream: "north", Loops: []int{0, 1}, Spacing: 4, LoopLength: 2}},
		Limits: loop.DefaultLimits(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for err == nil {
		var s loop.BatchResult
		s, err = c.CountBatch(context.Background())
		for _, p := range s.Passages {
			fmt.Printf("%v %s %v at %.0f km/h, %.1f m long\n", p.At, p.Stream, p.Dir, 3.6*p.Speed, p.Length)
		}
	}
	if err == io.EOF {
		loop.WriteWindowTable(os.Stdout, c.CloseWindows())
	}
	// Output:
	// 1s north a_to_b at 72 km/h, 4.2 m long
	// 5s north a_to_b at 58 km/h, 12.0 m long
	// STREAM  FROM  TO   PASSAGES  OCCUPANCY  SPEED       LENGTHS                                     QUALITY
	// north   0s    10s  2         11.8 %     50–60 km/h  <5.2: 1  5.2–6.6: 0  6.6–11.6: 0  ≥11.6: 1  ok
}
