package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// ResolveArchive reads the archive at location, a path or an http(s) URL, checks
// every entry, and says what a deploy of it would put live. Its SHA is that of
// the file. The caller passes only locations that its configuration allows.
// Faults: Missing, Invalid (the whole archive is refused), Unreachable.
func (m *Mirrors) ResolveArchive(ctx context.Context, location string) (platform.Source, error) {
	file, err := m.archive(ctx, location, "")
	if err != nil {
		return platform.Source{}, err
	}
	sum, _, err := CheckArchive(file, Fair)
	if err != nil {
		return platform.Source{}, err
	}
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(location), ".gz"), ".tar")
	version := strings.TrimSuffix(name, ".tgz")
	if !versionLike(version) {
		version = sum[:7]
	}
	return platform.Source{Ref: path.Base(location), SHA: sum, Version: version, Archive: location}, nil
}

func versionLike(s string) bool {
	return s != "" && len(s) <= 64 && !strings.HasPrefix(s, "-") && plainName.FindString(s) == ""
}

// CheckArchive reads a whole .tar.gz and refuses it when one entry is not clean.
// It returns the SHA-256 of the file.
func CheckArchive(file string, l Limits) (sum string, s Summary, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", s, absent(err, file)
	}
	defer f.Close()
	hash := sha256.New()
	packed := &counter{r: io.TeeReader(f, hash)}
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return "", s, unreadable(err)
	}
	t := newTree(l, func() int64 { return packed.n })
	if err := t.check(unzipped); err != nil {
		return "", s, err
	}
	if _, err := io.Copy(io.Discard, packed); err != nil {
		return "", s, err
	}
	return hex.EncodeToString(hash.Sum(nil)), t.summary, nil
}

func absent(err error, file string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &fault.Error{Kind: fault.Missing, Op: "source.archive", Say: fmt.Sprintf("There is no archive %s.", file), Err: err}
	}
	return local(err, file)
}

// archive is the file of an archive here, downloaded when location is a URL. A
// file whose SHA is known is not downloaded again.
func (m *Mirrors) archive(ctx context.Context, location, sha string) (string, error) {
	u, err := url.Parse(location)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		if !filepath.IsAbs(location) {
			return "", fault.New(fault.Invalid, "source.archive", "Use an absolute path or an https:// address.", "%s is no place of an archive.", fault.Quote(clip(location, 200)))
		}
		return location, nil
	}
	name := sha256.Sum256([]byte(location))
	file := filepath.Join(m.dir, "archives", hex.EncodeToString(name[:8])+".tar.gz")
	if sha != "" {
		if sum, err := hashOf(file); err == nil && sum == sha {
			return file, nil
		}
	}
	return file, m.download(ctx, u, file)
}

func (m *Mirrors) download(ctx context.Context, u *url.URL, file string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	unreachable := func(err error) error {
		return &fault.Error{Kind: fault.Unreachable, Op: "source.archive", Say: fmt.Sprintf("The archive %s cannot be downloaded.", Shown(u.String())), Hint: "Try again.", Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return unreachable(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return unreachable(fmt.Errorf("the server answered %s", res.Status))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return local(err, file)
	}
	sweep(filepath.Dir(file))
	part, err := os.CreateTemp(filepath.Dir(file), ".part-")
	if err != nil {
		return local(err, file)
	}
	defer os.Remove(part.Name())
	n, err := io.Copy(part, io.LimitReader(res.Body, Fair.Total+1))
	if err := errors.Join(err, part.Close()); err != nil {
		return unreachable(err)
	}
	if n > Fair.Total {
		return refused("The archive is larger than %d MiB.", Fair.Total>>20)
	}
	return local(os.Rename(part.Name(), file), file)
}

const keptArchives = 7 * 24 * time.Hour

// sweep removes what was downloaded long ago, whole or not: it can be downloaded
// again. What cannot be removed is tried the next time.
func sweep(dir string) {
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if info, err := f.Info(); err == nil && time.Since(info.ModTime()) > keptArchives {
			_ = os.Remove(filepath.Join(dir, f.Name()))
		}
	}
}

// Export writes the tree of src below dir, which must not exist yet and is not
// there when Export fails. Modes are ours: 0750 for directories and programs,
// 0640 for files. Room, unless nil, may refuse what is about to be written.
// Faults: Missing (the commit is gone), Invalid, Refused (the disk is full),
// Unreachable.
func (m *Mirrors) Export(ctx context.Context, src platform.Source, dir string, room func(Summary) error) (s Summary, err error) {
	if err := os.Mkdir(dir, 0o750); err != nil {
		return s, local(err, dir)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	t := newTree(Fair, nil)
	if err := m.stream(ctx, src, func(r io.Reader, packed func() int64) error {
		t.packed = packed
		return t.check(r)
	}); err != nil {
		return s, err
	}
	if room != nil {
		if err := room(t.summary); err != nil {
			return s, err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return s, local(err, dir)
	}
	defer root.Close()
	// The second pass makes its own checks, entry by entry: the file may have
	// been changed in between.
	err = m.stream(ctx, src, func(r io.Reader, packed func() int64) error {
		return newTree(Fair, packed).unpack(ctx, r, root)
	})
	return t.summary, local(err, dir)
}

// stream passes the tar stream of src to use. Packed is how much of a packed
// file was read, and nil for git, whose objects are the repository's own.
func (m *Mirrors) stream(ctx context.Context, src platform.Source, use func(r io.Reader, packed func() int64) error) error {
	if src.Archive != "" {
		return m.streamArchive(ctx, src, use)
	}
	r, err := m.holding(ctx, src)
	if err != nil {
		return err
	}
	read, write := io.Pipe()
	made := make(chan error, 1)
	go func() {
		err := gitTo(ctx, write, r.dir, "archive", "--format=tar", "--end-of-options", src.SHA)
		made <- err
		write.CloseWithError(err)
	}()
	used := use(read, nil)
	read.CloseWithError(used)
	if err := <-made; err != nil && used == nil {
		return r.explain(ctx, err)
	}
	return used
}

func (m *Mirrors) streamArchive(ctx context.Context, src platform.Source, use func(io.Reader, func() int64) error) error {
	file, err := m.archive(ctx, src.Archive, src.SHA)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return absent(err, file)
	}
	defer f.Close()
	hash := sha256.New()
	packed := &counter{r: io.TeeReader(f, hash)}
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return unreadable(err)
	}
	// Whoever reads it in parts is bounded too: the file may have been changed
	// since it was checked.
	bounded := &counter{r: unzipped, most: Fair.Total + int64(Fair.Entries)*4096}
	if err := use(bounded, func() int64 { return packed.n }); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, packed); err != nil {
		return err
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != src.SHA {
		return fault.New(fault.Invalid, "source.archive", "Deploy it again, so that the new content is approved.",
			"The archive %s is not the one that was asked for: it has changed.", path.Base(src.Archive))
	}
	return nil
}

// holding is a mirror that has the commit of src, fetched when it is needed.
func (m *Mirrors) holding(ctx context.Context, src platform.Source) (*mirror, error) {
	if !fullSHA.MatchString(src.SHA) {
		return nil, fault.New(fault.Invalid, "source.export", "", "%s is no commit.", fault.Quote(clip(src.SHA, 80)))
	}
	if r, err := m.here(src.Repository); err == nil {
		if _, err := r.commit(ctx, src.SHA); err == nil {
			return r, r.keep(ctx, src.SHA)
		}
	}
	r, err := m.fresh(ctx, src.Repository)
	if err != nil {
		return nil, err
	}
	if _, err := r.commit(ctx, src.SHA); err != nil {
		return nil, &fault.Error{Kind: fault.Missing, Op: "source.export", Hint: "Name another ref.", Err: err,
			Say: fmt.Sprintf("The commit %s is no longer in %s.", src.SHA[:7], Shown(src.Repository))}
	}
	return r, r.keep(ctx, src.SHA)
}

// keep holds on to a commit whose branch may be rewritten. It takes milliseconds
// and is not cut short: a git that ends in the wrong one leaves its lock file.
func (r *mirror) keep(ctx context.Context, sha string) error {
	ctx = context.WithoutCancel(ctx)
	hold := func() error {
		_, err := git(ctx, r.dir, "update-ref", "refs/maitred/"+sha, sha)
		return err
	}
	err := hold()
	if blocked(err) && r.unlock() {
		err = hold()
	}
	return r.explain(ctx, err)
}

// unpack writes the entries of a tar stream below root.
func (t *tree) unpack(ctx context.Context, r io.Reader, root *os.Root) error {
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return unreadable(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.add(h); err != nil {
			return err
		}
		if err := t.write(root, h, archive); err != nil {
			return fmt.Errorf("unpack %q: %w", h.Name, err)
		}
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return unreadable(err)
	}
	return t.checkLinks()
}

func (t *tree) write(root *os.Root, h *tar.Header, content io.Reader) error {
	name := path.Clean(h.Name)
	if h.Typeflag == tar.TypeXGlobalHeader || name == "." {
		return nil
	}
	if h.Typeflag == tar.TypeDir {
		return root.MkdirAll(name, 0o750)
	}
	if err := root.MkdirAll(path.Dir(name), 0o750); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return root.Link(path.Clean(h.Linkname), name)
	}
	mode := fs.FileMode(0o640)
	if h.Mode&0o100 != 0 {
		mode = 0o750
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, content)
	t.summary.Bytes += n
	return errors.Join(err, f.Close(), t.within())
}

// File is one file of src, "" and false when it has none. At most 1 MiB is read.
func (m *Mirrors) File(ctx context.Context, src platform.Source, name string) ([]byte, bool, error) {
	if src.Archive == "" {
		r, err := m.holding(ctx, src)
		if err != nil {
			return nil, false, err
		}
		var out bytes.Buffer
		err = gitTo(ctx, &limited{w: &out, left: 1 << 20}, r.dir, "cat-file", "blob", src.SHA+":"+name)
		if exited(err) {
			return nil, false, nil
		}
		return out.Bytes(), err == nil, err
	}
	var data []byte
	found := false
	err := m.streamArchive(ctx, src, func(r io.Reader, _ func() int64) error {
		archive := tar.NewReader(r)
		for {
			h, err := archive.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return unreadable(err)
			}
			if path.Clean(h.Name) == name && h.Typeflag == tar.TypeReg {
				found = true
				if data, err = io.ReadAll(io.LimitReader(archive, 1<<20)); err != nil {
					return unreadable(err)
				}
			}
		}
	})
	return data, found, err
}

// limited drops what goes beyond left.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	if _, err := l.w.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

func hashOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
