package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
	"maitred/store/storetest"
)

// What many ask for at once shares commits, and what is refused of it harms
// nobody else.
func TestStatementsOfSeveralCallersAreTheirOwn(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		s := p.Open(t)
		const lines = 60
		var all sync.WaitGroup
		for i := range lines {
			all.Go(func() {
				key := fmt.Sprint("line-", i)
				if known, err := s.Hear(ctx, chat.Inbound{Key: key}, nil, "one", time.Minute); known || err != nil {
					t.Errorf("%s: known %v, %v", key, known, err)
				}
				if known, err := s.Hear(ctx, chat.Inbound{Key: key}, nil, "one", time.Minute); !known || err != nil {
					t.Errorf("%s again: known %v, %v", key, known, err)
				}
				row := commands.AuditRow{Verb: "status", Subject: []string{"ocpizza/production", "#7", "#x", "", "blog"}[i%5], Line: key}
				if err := s.Answered(ctx, key, nil, 0, false, row); err != nil {
					t.Errorf("answer %s: %v", key, err)
				}
				wants(t, s.Answered(ctx, key, nil, 0, false, row), fault.Refused, "answered elsewhere")
			})
		}
		all.Wait()
		rows, err := s.Audit(ctx, commands.AuditFilter{Limit: 1000})
		must(t, err)
		if len(rows) != lines {
			t.Errorf("%d rows in the audit, want %d", len(rows), lines)
		}
		rows, err = s.Audit(ctx, commands.AuditFilter{App: "ocpizza", Limit: 1000})
		must(t, err)
		if len(rows) != lines/5 {
			t.Errorf("%d rows about ocpizza, want %d", len(rows), lines/5)
		}
	})
}
