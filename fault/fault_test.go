package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	cause := errors.New("password=hunter2 refused")
	busy := &Error{Kind: Busy, Op: "engine.submit", Say: "It is being deployed.", Hint: "/queue", Err: cause}
	tests := map[string]struct {
		err  error
		kind Kind
		say  string
	}{
		"a fault is itself":              {busy, Busy, "It is being deployed."},
		"a wrapped fault is found":       {fmt.Errorf("next: %w", busy), Busy, "It is being deployed."},
		"a slip gives nothing away":      {cause, Internal, "Something went wrong inside maitred."},
		"the outermost fault is the one": {&Error{Kind: Refused, Say: "No.", Err: busy}, Refused, "No."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Of(tt.err)
			if got.Kind != tt.kind || got.Say != tt.say {
				t.Errorf("got %v %q, want %v %q", got.Kind, got.Say, tt.kind, tt.say)
			}
			if !errors.Is(got, cause) {
				t.Error("the cause is lost")
			}
			if strings.Contains(got.Say, "hunter2") {
				t.Error("the sentence shows the cause")
			}
		})
	}
	if Of(nil) != nil {
		t.Error("nothing failed, and there is a fault")
	}
}

func TestErrorIsForTheLog(t *testing.T) {
	err := &Error{Kind: Unreachable, Op: "host.probe", Say: "It does not answer.", Err: errors.New("dial: refused")}
	if got, want := err.Error(), "host.probe: It does not answer.: dial: refused"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !Is(fmt.Errorf("deploy: %w", err), Unreachable) || Is(err, Busy) || Is(errors.New("x"), Internal) {
		t.Error("Is does not tell kinds apart")
	}
}

func TestEveryKindHasAWord(t *testing.T) {
	for k := Internal; k <= Unreachable; k++ {
		if k.String() == "" {
			t.Errorf("kind %d has no word", k)
		}
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                "“”",
		`it's a "ref"`:    `“it's a "ref"”`,
		"a\nb\x1b[2J\x00": `“a\nb\x1b[2J\x00”`,
		"naïve \xff":      "“naïve \uFFFD”",
	} {
		if got := Quote(text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
