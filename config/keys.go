package config

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"maitred/fault"
)

// Keys are what maitred's own data is sealed and chained with. They lie in files
// beside the database, never in it: who has a copy of the database has no secret.
type Keys struct {
	Audit []byte // of the chain of the audit
	seal  cipher.AEAD
}

const keySize = chacha20poly1305.KeySize

// OpenKeys reads the key files in dir and makes them when both are missing and
// fresh is true. Faults: Missing (a key is gone while there is data that needs
// it), Invalid (a file is damaged or others may read it).
func OpenKeys(dir string, fresh bool) (*Keys, error) {
	if fresh {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, &fault.Error{Kind: fault.Invalid, Op: "config.keys", Err: err, Hint: "Look at its owner and mode.",
				Say: fmt.Sprintf("The directory of the keys, %s, cannot be made.", dir)}
		}
	}
	seal, err := key(filepath.Join(dir, "seal.key"), fresh)
	if err != nil {
		return nil, err
	}
	audit, err := key(filepath.Join(dir, "audit.key"), fresh)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(seal)
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	return &Keys{Audit: audit, seal: aead}, nil
}

// key reads a key file, or makes it. Of two that make it at once, one wins and
// both read the same.
func key(path string, make bool) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && make {
		if err := writeKey(path); err != nil {
			return nil, &fault.Error{Kind: fault.Invalid, Op: "config.keys", Err: err, Hint: "Look at the owner and mode of its directory.",
				Say: fmt.Sprintf("The key file %s cannot be written.", path)}
		}
		text, err = os.ReadFile(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.Missing, "config.keys", "Put it back from where you keep it. docs/running.md says what is lost without it.",
			"The key file %s is gone, and the data that it belongs to is not.", path)
	}
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Op: "config.keys", Err: err, Hint: "Look at its owner and mode.",
			Say: fmt.Sprintf("The key file %s cannot be read.", path)}
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fault.New(fault.Invalid, "config.keys", "chmod 600 "+path, "Others on this machine may read the key file %s.", path)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != keySize {
		return nil, fault.New(fault.Invalid, "config.keys", "Put it back from where you keep it.", "The key file %s is damaged.", path)
	}
	return raw, nil
}

// writeKey puts a new key at path, whole or not at all, and never over another.
func writeKey(path string) error {
	raw := make([]byte, keySize)
	rand.Read(raw)
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintln(f, hex.EncodeToString(raw))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// Seal closes a secret.
func (k *Keys) Seal(plain []byte) ([]byte, error) {
	nonce := make([]byte, k.seal.NonceSize(), k.seal.NonceSize()+len(plain)+k.seal.Overhead())
	rand.Read(nonce)
	return k.seal.Seal(nonce, nonce, plain, nil), nil
}

// Open opens what Seal closed with the same key.
func (k *Keys) Open(sealed []byte) ([]byte, error) {
	if len(sealed) < k.seal.NonceSize() {
		return nil, errors.New("open sealed value: it is too short")
	}
	plain, err := k.seal.Open(nil, sealed[:k.seal.NonceSize()], sealed[k.seal.NonceSize():], nil)
	if err != nil {
		return nil, fmt.Errorf("open sealed value: %w", err)
	}
	return plain, nil
}
