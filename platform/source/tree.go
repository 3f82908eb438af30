package source

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"maitred/fault"
)

// Limits bound what an archive may hold.
type Limits struct {
	Entries int   // files, directories and links
	Total   int64 // bytes, unpacked
	Ratio   int64 // unpacked bytes for each packed one, beyond the first 16 MiB
}

// Fair are the limits of a release.
var Fair = Limits{Entries: 50_000, Total: 1 << 30, Ratio: 200}

const (
	freely    = 16 << 20 // bytes before the ratio counts
	deepest   = 64       // directories in one path
	longest   = 1024     // bytes of one path
	linkChain = 40       // links followed before a chain is called endless
)

// Summary is what an archive holds.
type Summary struct {
	Entries int
	Bytes   int64
}

// tree is what an archive would make, built entry by entry and checked before
// anything is written.
type tree struct {
	limits  Limits
	summary Summary
	kinds   map[string]byte   // clean path → tar type flag
	links   map[string]string // symbolic links and where they point
	packed  func() int64      // bytes read so far; nil when it is not known
}

func newTree(l Limits, packed func() int64) *tree {
	return &tree{limits: l, packed: packed, kinds: map[string]byte{}, links: map[string]string{}}
}

// check reads the whole of r, a tar stream, and refuses it when one entry is
// not clean.
func (t *tree) check(r io.Reader) error {
	counted := &counter{r: r, most: t.limits.Total + int64(t.limits.Entries)*4096}
	archive := tar.NewReader(counted)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return unreadable(err)
		}
		if err := t.add(h); err != nil {
			return err
		}
		for {
			n, err := io.CopyN(io.Discard, archive, 1<<20)
			t.summary.Bytes += n
			if err := t.within(); err != nil {
				return err
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return unreadable(err)
			}
		}
	}
	// What follows the last entry is read too: only then is the sum of a gzip
	// stream checked.
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return unreadable(err)
	}
	return t.checkLinks()
}

func unreadable(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	return &fault.Error{Kind: fault.Invalid, Op: "source.archive", Say: "The archive is damaged or not a .tar.gz.", Hint: "Make it again with tar -czf.", Err: err}
}

func refused(say string, args ...any) error {
	return fault.New(fault.Invalid, "source.archive", "Nothing of it was unpacked. Make the archive again without that.", say, args...)
}

// add takes one entry in, or refuses the archive.
func (t *tree) add(h *tar.Header) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	t.summary.Entries++
	if t.summary.Entries > t.limits.Entries {
		return refused("The archive has more than %d entries.", t.limits.Entries)
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	kind := h.Typeflag
	switch kind {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeGNUSparse:
		kind = tar.TypeReg
	case tar.TypeSymlink, tar.TypeLink:
		return t.addLink(name, h)
	default:
		return refused("The archive holds %s, which is neither a file, a directory nor a link.", fault.Quote(clip(name, 200)))
	}
	if h.Size < 0 || h.Size > t.limits.Total {
		return refused("The archive holds %s of %d bytes; %d are allowed in all.", fault.Quote(clip(name, 200)), h.Size, t.limits.Total)
	}
	return t.place(name, kind)
}

// place notes that name is of a kind. Nothing comes twice, and nothing lies
// below what is not a directory.
func (t *tree) place(name string, kind byte) error {
	if name == "." {
		if kind != tar.TypeDir {
			return refused("The archive wants to replace its own root.")
		}
		return nil
	}
	if was, ok := t.kinds[name]; ok && (was != tar.TypeDir || kind != tar.TypeDir) {
		return refused("The archive holds %s twice.", fault.Quote(clip(name, 200)))
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if was, ok := t.kinds[dir]; ok && was != tar.TypeDir {
			return refused("The archive holds %s below %s, which is no directory.", fault.Quote(clip(name, 200)), fault.Quote(clip(dir, 200)))
		} else if ok {
			break
		}
		t.kinds[dir] = tar.TypeDir
	}
	t.kinds[name] = kind
	return nil
}

func (t *tree) addLink(name string, h *tar.Header) error {
	if h.Typeflag == tar.TypeLink {
		to, err := cleanName(h.Linkname)
		if err != nil {
			return err
		}
		if t.kinds[to] != tar.TypeReg {
			return refused("The archive holds the link %s to %s, which is not a file before it.", fault.Quote(clip(name, 200)), fault.Quote(clip(to, 200)))
		}
		return t.place(name, tar.TypeReg)
	}
	if h.Linkname == "" || len(h.Linkname) > longest || path.IsAbs(h.Linkname) || strings.ContainsRune(h.Linkname, 0) {
		return refused("The archive holds the link %s, which leads out of it to %s.", fault.Quote(clip(name, 200)), fault.Quote(clip(h.Linkname, 200)))
	}
	t.links[name] = h.Linkname
	return t.place(name, tar.TypeSymlink)
}

// checkLinks follows every link through the tree as it would be, because a link
// that stays inside by its letters can leave by way of another link.
func (t *tree) checkLinks() error {
	for name := range t.links {
		if !t.inside(name) {
			return refused("The archive holds the link %s, which leads out of it to %s.", fault.Quote(clip(name, 200)), fault.Quote(clip(t.links[name], 200)))
		}
	}
	return nil
}

// inside reports that following the link at name never leaves the root. A chain
// without an end leaves.
func (t *tree) inside(name string) bool {
	todo := strings.Split(name, "/")
	var at []string
	for steps := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return false
			}
			at = at[:len(at)-1]
			continue
		}
		next := append(at[:len(at):len(at)], part)
		to, isLink := t.links[strings.Join(next, "/")]
		if !isLink {
			at = next
			continue
		}
		if steps++; steps > linkChain {
			return false
		}
		todo = append(strings.Split(to, "/"), todo...)
	}
	return true
}

func (t *tree) within() error {
	if t.summary.Bytes > t.limits.Total {
		return refused("The archive unpacks to more than %d MiB.", t.limits.Total>>20)
	}
	if t.packed != nil && t.summary.Bytes > freely && t.summary.Bytes/max(1, t.packed()) > t.limits.Ratio {
		return refused("The archive unpacks to more than %d times its size.", t.limits.Ratio)
	}
	return nil
}

// cleanName is the path of an entry, or a refusal.
func cleanName(name string) (string, error) {
	if name == "" || len(name) > longest || !utf8.ValidString(name) {
		return "", refused("The archive holds an entry without a usable name.")
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return "", refused("The archive holds %s, whose name has characters that are not allowed.", fault.Quote(clip(name, 200)))
	}
	clean := path.Clean(name)
	if path.IsAbs(name) || clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains("/"+name+"/", "/../") {
		return "", refused("The archive holds %s, which leads out of it.", fault.Quote(clip(name, 200)))
	}
	if strings.Count(clean, "/") >= deepest {
		return "", refused("The archive holds %s, which lies too deep.", fault.Quote(clip(name, 200)))
	}
	for part := range strings.SplitSeq(clean, "/") {
		if len(part) > 255 {
			return "", refused("The archive holds a name of %d characters.", len(part))
		}
	}
	return clean, nil
}

// counter refuses to read more than most.
type counter struct {
	r    io.Reader
	n    int64
	most int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.most > 0 && c.n > c.most {
		return n, fmt.Errorf("more than %d bytes: %w", c.most, refused("The archive unpacks to more than is allowed."))
	}
	return n, err
}
