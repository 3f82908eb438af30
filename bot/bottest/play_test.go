package bottest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"maitred/store/storetest"
)

// Every conversation of testdata is played on both stores.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	storetest.EachPlace(t, func(t *testing.T, _ storetest.Place) {
		for _, file := range files {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range archive.Files {
				name := strings.TrimSuffix(filepath.Base(file), ".txtar") + "/" + part.Name
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					Play(t, Open(t, placeFor(t), NewRoom("room")), string(part.Data))
				})
			}
		}
	})
}

// placeFor is a store of the kind that the surrounding test is about.
func placeFor(t *testing.T) storetest.Place {
	if strings.Contains(t.Name(), "/postgres/") {
		return storetest.PostgreSQL(t)
	}
	return storetest.SQLite(t)
}
