package want

import (
	"io"
	"testing"

	"kerb/agent/ipc"
	"kerb/agent/uplink"
	"kerb/agent/vocabulary"
)

func TestEveryWordHasItsNumberAndItsMeaning(t *testing.T) {
	if len(Words()) != int(reasons) || len(OutcomeWords()) != int(outcomes) {
		t.Errorf("%d words for %d reasons, %d for %d outcomes", len(Words()), reasons, len(OutcomeWords()), outcomes)
	}
	last := ipc.WantResult{Outcome: uint8(outcomes - 1), Reason: uint8(reasons - 1)}
	if err := ipc.WriteRecord(io.Discard, &last); err != nil {
		t.Errorf("a record does not take the last outcome and reason: %v", err)
	}
	if last.Reason++; ipc.WriteRecord(io.Discard, &last) == nil {
		t.Error("a record takes a reason that does not exist")
	}
	for i, w := range vocabulary.WantReasons() {
		if want := Words()[i+1]; w.Word != want {
			t.Errorf("meaning %d is of %q, want %q", i, w.Word, want)
		}
	}
	if uplink.MaxWantBytes != MaxBytes {
		t.Errorf("the uplink takes %d bytes, a message may have %d", uplink.MaxWantBytes, MaxBytes)
	}
}
