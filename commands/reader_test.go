package commands

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
)

// Lines that are read one after the other and at once do not see each other.
func TestReadersForget(t *testing.T) {
	h := newHouse(t)
	lines := []string{
		"/audit --who ann --since 1d", "/audit", "/audit --verb deploy --limit 3", "/deploy ocpizza@v1.1.0 to production", "/deploy",
		"/help backup capture", "/help", "/logs ocpizza --grep x --lines 7", "/logs", "/run ocpizza echo --to me", "/run ocpizza true",
		"/backup restore b1 main", "/backup restore", "/lock ocpizza by hand --for 2h", "/lock ocpizza quiet",
	}
	fresh := map[string]Command{}
	for _, line := range lines {
		o, err := newHouse(t).registry.Parse(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		r, err := newReader(o.arranged.leaf.kind)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.parser.Parse(o.arranged.argv()); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		fresh[line] = r.target.Interface().(Command)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 20 * len(lines) {
				line := lines[i%len(lines)]
				if i%7 == 0 {
					if _, err := h.registry.Parse("/audit --since nonsense"); err == nil {
						t.Error("nonsense was understood")
					}
				}
				o, err := h.registry.Parse(line)
				if err != nil {
					t.Errorf("%s: %v", line, err)
					return
				}
				if !reflect.DeepEqual(o.Command, fresh[line]) {
					t.Errorf("%s\n got %s\nwant %s", line, fmt.Sprintf("%#v", o.Command), fmt.Sprintf("%#v", fresh[line]))
				}
			}
		})
	}
	wg.Wait()
}
