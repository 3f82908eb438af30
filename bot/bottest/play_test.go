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
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		Furnish(t, p)
		for _, file := range files {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range archive.Files {
				name := strings.TrimSuffix(filepath.Base(file), ".txtar") + "/" + part.Name
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					Play(t, Open(t, p.Copy(t), NewRoom("room")), string(part.Data))
				})
			}
		}
	})
}
