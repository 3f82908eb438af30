package commands

import "testing"

func BenchmarkParse(b *testing.B) {
	h := newHouse(&testing.T{})
	for b.Loop() {
		if _, err := h.registry.Parse("/deploy ocpizza@v1.1.0 to production"); err != nil {
			b.Fatal(err)
		}
	}
}
