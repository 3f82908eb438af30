package host

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"maitred/platform"
)

func TestSurplusBackups(t *testing.T) {
	for name, test := range map[string]struct {
		list string // newest first: c was captured, s made for safety, R is captured and restored, ! belongs to the operation
		want string
	}{
		"few are kept":                          {list: "c s c s", want: ""},
		"each sort is counted by itself":        {list: "c s s s c c", want: "b3 b1"},
		"the newest that proved itself is kept": {list: "c c R R", want: "b1"},
		"what is under way keeps its own":       {list: "c c c! s s s!", want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			var list []stored
			words := strings.Fields(test.list)
			for i, word := range words {
				b := stored{Backup: platform.Backup{ID: fmt.Sprintf("b%d", len(words)-i)}}
				if word[0] == 's' {
					b.Why = "safety"
				}
				if word[0] == 'R' {
					b.Grade = "restored"
				}
				if strings.HasSuffix(word, "!") {
					b.Operation = 7
				}
				list = append(list, b)
			}
			var gone []string
			for _, b := range surplus(list, 2, 7) {
				gone = append(gone, b.ID)
			}
			if got := strings.Join(gone, " "); got != test.want {
				t.Errorf("of %q go %q; want %q", test.list, got, test.want)
			}
		})
	}
}

func TestOldBackupsMakeRoom(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Database.Keep = 2 })
	s.deploy("v1.0.0")
	for range 4 {
		s.must(s.PlanCapture(t.Context(), pizza, ""))
	}
	list, err := s.Backups(t.Context(), pizza)
	if err != nil || len(list) != 2 || list[0].ID != "b4" {
		t.Fatalf("backups: %+v, %v", list, err)
	}
	for range 3 {
		s.must(s.PlanRestore(t.Context(), pizza, list[1], ""))
	}
	list, err = s.Backups(t.Context(), pizza)
	if err != nil || len(list) != 4 || list[0].ID != "b7" {
		t.Fatalf("backups: %+v, %v", list, err)
	}
	files, err := os.ReadDir(s.path("backups"))
	if err != nil || len(files) != 4 {
		t.Errorf("there are the files %v, %v", files, err)
	}
}
