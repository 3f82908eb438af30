package store

import (
	"context"

	"go.uber.org/zap"
)

// VerifyAudit verifies the chain of a store that a maitred may be using: it
// reads, and changes nothing. See the method. Faults: Missing (there is no
// store), Unreachable.
func VerifyAudit(ctx context.Context, o Options) (AuditReport, error) {
	s := &Store{opts: o, log: zap.NewNop()}
	defer s.Close()
	open := s.openReadOnly
	if o.URL != "" {
		open = s.openPostgres
	}
	if err := open(ctx); err != nil {
		return AuditReport{}, s.fail("store.verify-audit", err)
	}
	return s.VerifyAudit(ctx)
}
