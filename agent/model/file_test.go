package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"time"

	"kerb/counting/neural"
)

func example() KerbFile {
	onnx := []byte("a network, for all that this package knows")
	return KerbFile{
		Card: Card{
			Name: "eye.onnx", Source: Sum(onnx), Licence: "Apache-2.0", Producer: "pytorch", Meta: map[string]string{"author": "A"},
			Input: [2]int{416, 416}, Imported: time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC), By: "ada", Stills: 9,
		},
		Ranges: neural.Ranges{"conv": {{Lo: -1, Hi: 2.5, Mean: 0.25, N: 7}, {Hi: 3, Mean: 1, N: 7}}, "odd": {{N: 1}, {Hi: 1, N: 2}}},
		ONNX:   onnx,
	}
}

func encoded(t testing.TB, f KerbFile) []byte {
	t.Helper()
	b, err := Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	want := example()
	got, err := Decode(encoded(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v\nwant %+v", *got, want)
	}
}

func TestOneFileIsAlwaysTheSameBytes(t *testing.T) {
	if !bytes.Equal(encoded(t, example()), encoded(t, example())) {
		t.Error("two writings differ")
	}
}

func TestAPartOfAFileIsRefused(t *testing.T) {
	b := encoded(t, example())
	for n := range b {
		if _, err := Decode(b[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were read", n, len(b))
		}
	}
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	b := encoded(t, example())
	for i := range b {
		b[i] ^= 1
		if _, err := Decode(b); err == nil {
			t.Fatalf("byte %d was changed and not missed", i)
		}
		b[i] ^= 1
	}
}

// sealed returns a file with a valid seal around any card.
func sealed(card, onnx string) []byte {
	b := binary.BigEndian.AppendUint32([]byte(magic), uint32(len(card)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(onnx)))
	b = append(b, card+onnx...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func TestAWrongFileIsRefusedWithItsReason(t *testing.T) {
	card := func(ranges string) string {
		return `{"name":"x","source":"` + Sum([]byte("net")) + `","ranges":` + ranges + `}`
	}
	if _, err := Decode(sealed(card(`{}`), "net")); err != nil {
		t.Fatalf("the control was refused: %v", err)
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":         {nil, "is not a .kerb file"},
		"foreign":       {[]byte("\x08\x07\x12\x07pytorch"), "is not a .kerb file"},
		"newer":         {[]byte("kerb-model/2\n"), "another version"},
		"longer":        {append(encoded(t, example()), 0), "not as long as it says"},
		"vast":          {binary.BigEndian.AppendUint64([]byte(magic), 1<<64-1), "not as long"},
		"no card":       {sealed("{", "net"), "a card that cannot be read"},
		"bell":          {sealed(`{"name":"\u0007"}`, "net"), "not for print"},
		"unknown field": {sealed(`{"later":1}`, "net"), "later"},
		"other network": {sealed(card(`{}`), "ten"), "another network than its card names"},
		"no channels":   {sealed(card(`{"c":{}}`), "net"), `ranges of "c"`},
		"unequal":       {sealed(card(`{"c":{"lo":[0],"hi":[1,2],"mean":[0],"n":[1]}}`), "net"), `ranges of "c"`},
		"upside down":   {sealed(card(`{"c":{"lo":[1],"hi":[-1],"mean":[0],"n":[1]}}`), "net"), `ranges of "c"`},
		"mean outside":  {sealed(card(`{"c":{"lo":[0],"hi":[1],"mean":[9],"n":[1]}}`), "net"), `ranges of "c"`},
		"no number":     {sealed(card(`{"c":{"lo":[0],"hi":[1e99],"mean":[0],"n":[1]}}`), "net"), "a card that cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Decode(c.file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want … %s …", err, c.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	good := encoded(f, example())
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte("kerb-model/9\n"))
	card := `{"name":"x","source":"` + Sum([]byte("net")) + `","ranges":{"c":{"lo":[0],"hi":[1],"mean":[0],"n":[1]}}}`
	f.Add(sealed(card, "net"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// As it comes, and again with a seal that fits: a liar can make one.
		readAndWriteBack(t, b)
		if len(b) > sha256.Size {
			body := b[:len(b)-sha256.Size]
			sum := sha256.Sum256(body)
			readAndWriteBack(t, append(bytes.Clone(body), sum[:]...))
		}
	})
}

// readAndWriteBack checks that a file that Decode accepts can be encoded again to
// the same content.
func readAndWriteBack(t *testing.T, b []byte) {
	f, err := Decode(b)
	if err != nil {
		return
	}
	f.Imported = f.Imported.UTC().Truncate(time.Second)
	b, err = Encode(*f)
	if err != nil {
		if y := f.Imported.Year(); y < 0 || y > 9999 {
			return
		}
		t.Fatal(err)
	}
	if again, err := Decode(b); err != nil || !reflect.DeepEqual(again, f) {
		t.Fatalf("%v: %+v\nwas %+v", err, again, f)
	}
}
