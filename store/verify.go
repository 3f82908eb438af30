package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"maitred/fault"
)

// VerifyAudit verifies the chain of a store that a maitred may be using: it
// reads, and changes nothing. See the method. Faults: Missing (there is no
// store), Unreachable.
func VerifyAudit(ctx context.Context, o Options) (AuditReport, error) {
	s := &Store{opts: o, log: zap.NewNop()}
	defer s.Close()
	if o.URL != "" {
		if err := s.openPostgres(ctx); err != nil {
			return AuditReport{}, s.fail("store.verify-audit", err)
		}
		return s.VerifyAudit(ctx)
	}
	file := filepath.Join(o.Dir, fileName)
	if _, err := os.Stat(file); err != nil {
		return AuditReport{}, &fault.Error{Kind: fault.Missing, Op: "store.verify-audit", Err: err,
			Say: fmt.Sprintf("There is no store in %s.", o.Dir), Hint: "Name the data_dir of maitred.yml."}
	}
	var err error
	if s.reads, err = sql.Open("sqlite", dsn(file, "ro", "query_only(1)")); err != nil {
		return AuditReport{}, s.fail("store.verify-audit", err)
	}
	return s.VerifyAudit(ctx)
}
