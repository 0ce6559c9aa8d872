package scene

import (
	"context"
	"testing"
)

func BenchmarkPicture(b *testing.B) {
	for p := range presetConditions {
		b.Run(Preset(p).String(), func(b *testing.B) {
			s := openScene(b, Opts{Seed: uint64(p), Conditions: Preset(p).Conditions()})
			buf := make([]byte, s.width*s.height)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.ReadInto(context.Background(), buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		openScene(b, Opts{Seed: 2, Conditions: Busy.Conditions()})
	}
}
