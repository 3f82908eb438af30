package chat

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 s":        -time.Second,
		"0 ms":       0,
		"640 ms":     640 * time.Millisecond,
		"1 s":        time.Second,
		"3.6 s":      3600 * time.Millisecond,
		"9.9 s":      9999 * time.Millisecond,
		"59 s":       time.Minute - 1,
		"2 min":      2 * time.Minute,
		"2 min 5 s":  2*time.Minute + 5*time.Second,
		"1 h 30 min": 90 * time.Minute,
		"2 days 1 h": 49 * time.Hour,
	} {
		if got := Span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
