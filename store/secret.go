package store

import (
	"context"
	"database/sql"
	"errors"

	"maitred/fault"
)

// Secret opens a sealed value by its handle. Faults: Missing, when there is
// none or it was wiped.
func (s *Store) Secret(ctx context.Context, handle string) (string, error) {
	var sealed []byte
	err := s.read().QueryRowContext(ctx, "SELECT sealed FROM secrets WHERE handle = $1", clean(handle)).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", missing("store.secret", "Type the value again.", "The secret value is no longer there.")
	}
	if err != nil {
		return "", s.fail("store.secret", err)
	}
	if s.opts.Seal == nil {
		return "", fault.New(fault.Internal, "store.secret", "", "This store was opened without the key of its secrets.")
	}
	plain, err := s.opts.Seal.Open(sealed)
	if err != nil {
		return "", &fault.Error{Kind: fault.Internal, Op: "store.secret", Say: "The secret value cannot be opened with the key that maitred has.", Hint: "Type the value again.", Err: err}
	}
	return string(plain), nil
}

// keepSecret stores a value that is sealed already.
func keepSecret(ctx context.Context, tx *sql.Tx, handle, inboundKey string, sealed []byte) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO secrets (handle, inbound, operation, sealed) VALUES ($1, $2, 0, $3) ON CONFLICT (handle) DO NOTHING",
		clean(handle), inboundKey, sealed)
	return err
}
