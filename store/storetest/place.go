package storetest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"os"
	"testing"

	"maitred/store"
)

// Place is where a store is, so that a test can open it more than once: after a
// restart, or on PostgreSQL as another replica.
type Place struct {
	Name    string // "sqlite" or "postgres"
	Options store.Options
}

// Postgres reports whether several may open the place at once.
func (p Place) Postgres() bool { return p.Options.URL != "" }

// Open opens the store with its options changed. It is closed when the test
// ends, if the test has not done so.
func (p Place) Open(t testing.TB, change ...func(*store.Options)) *store.Store {
	t.Helper()
	o := p.Options
	for _, c := range change {
		c(&o)
	}
	s, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatalf("open the %s store: %v", p.Name, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// SQLite is a new place in a directory of the test.
func SQLite(t testing.TB) Place {
	return Place{"sqlite", options(store.Options{Dir: t.TempDir()})}
}

// PostgreSQL is a new place in a database of the test; see Postgres.
func PostgreSQL(t testing.TB) Place {
	t.Helper()
	return Place{"postgres", options(store.Options{URL: Postgres(t)})}
}

// Copy is a new place with all that is in p, which nobody may have open. It is
// much quicker than to make the tables anew.
func (p Place) Copy(t testing.TB) Place {
	t.Helper()
	if p.Postgres() {
		p.Options.URL = copyDatabase(t, p.Options.URL)
		return p
	}
	from := p.Options.Dir
	p.Options.Dir = t.TempDir()
	if err := os.CopyFS(p.Options.Dir, os.DirFS(from)); err != nil {
		t.Fatalf("copy the store: %v", err)
	}
	return p
}

func options(o store.Options) store.Options {
	o.Seal, o.AuditKey, o.Replica = Seal{}, []byte("the key of the tests' audit"), "one"
	return o
}

// Each runs test on an empty store of both kinds. Open opens the store; after a
// Close, or on PostgreSQL as often as one likes, it opens the same one again.
func Each(t *testing.T, test func(t *testing.T, open func() *store.Store)) {
	EachPlace(t, func(t *testing.T, p Place) {
		test(t, func() *store.Store { return p.Open(t) })
	})
}

// EachPlace runs test on a new place of both kinds.
func EachPlace(t *testing.T, test func(t *testing.T, p Place)) {
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, PostgreSQL(t)) })
}

// Seal closes values with a key that everybody knows.
type Seal struct{}

func (Seal) cipher() cipher.AEAD {
	block, err := aes.NewCipher([]byte("a key for tests."))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// Seal closes plain.
func (s Seal) Seal(plain []byte) ([]byte, error) {
	c := s.cipher()
	nonce := make([]byte, c.NonceSize())
	rand.Read(nonce)
	return c.Seal(nonce, nonce, plain, nil), nil
}

// Open opens what Seal closed.
func (s Seal) Open(sealed []byte) ([]byte, error) {
	c := s.cipher()
	if len(sealed) < c.NonceSize() {
		return nil, errors.New("too short to be sealed")
	}
	return c.Open(nil, sealed[:c.NonceSize()], sealed[c.NonceSize():], nil)
}
