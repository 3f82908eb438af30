package herokutest

import "testing"

func TestStarts(t *testing.T) {
	h := New(t, Options{})
	h.CreateApp("demo")
	h.AddDatabase("demo", "standard-0")
	if got := h.Deploy("demo", "c0ffee", map[string]string{"Procfile": "web: serve\n"}); got != "succeeded" || h.Answer("demo") != "c0ffee" {
		t.Errorf("the deploy is %s, and visitors see %q", got, h.Answer("demo"))
	}
}
