package herokutest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// list is a list that is paged. Items come in the order of their making.
type list struct {
	items []obj
	by    string   // the field ranges are about when nobody says; "id"
	other []string // further fields that ranges may be about
}

// rangeSpec is a Range header: "version ]3..9; max=10, order=desc".
type rangeSpec struct {
	field    string
	from, to string
	after    bool // from itself is left out
	max      int
	desc     bool
}

func parseRange(header, field string, page int) (rangeSpec, bool) {
	r := rangeSpec{field: field, max: page}
	header = strings.TrimSpace(header)
	if header == "" {
		return r, true
	}
	head, rest, _ := strings.Cut(header, ";")
	if words := strings.Fields(head); len(words) > 0 {
		r.field = words[0]
		if len(words) > 1 {
			from, to, ok := strings.Cut(words[1], "..")
			if !ok {
				return r, false
			}
			r.from, r.after = strings.CutPrefix(from, "]")
			r.to = to
		}
	}
	for _, part := range strings.FieldsFunc(rest, func(c rune) bool { return c == ',' || c == ';' || c == ' ' }) {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "max":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 1000 {
				return r, false
			}
			r.max = n
		case "order":
			r.desc = value == "desc"
		default:
			return r, false
		}
	}
	return r, true
}

// page cuts out what the Range header asks for.
func (l list) page(c *call, page int) (status int, body any) {
	if l.by == "" {
		l.by = "id"
	}
	r, ok := parseRange(c.Header.Get("Range"), l.by, page)
	if !ok || r.field != l.by && !slices.Contains(l.other, r.field) {
		return http.StatusRequestedRangeNotSatisfiable, &refusal{ID: "requested_range_not_satisfiable", Message: "Cannot satisfy the range " + c.Header.Get("Range") + "."}
	}
	c.header.Set("Accept-Ranges", strings.Join(append([]string{l.by}, l.other...), ", "))
	items := slices.Clone(l.items)
	slices.SortStableFunc(items, func(a, b obj) int {
		if r.desc {
			a, b = b, a
		}
		return order(a[r.field], b[r.field])
	})
	items = slices.DeleteFunc(items, func(o obj) bool { return !r.holds(o[r.field]) })
	cut := len(items) > r.max
	if cut {
		items = items[:r.max]
	}
	if len(items) > 0 {
		c.header.Set("Content-Range", fmt.Sprintf("%s %v..%v", r.field, items[0][r.field], items[len(items)-1][r.field]))
	}
	if items == nil {
		items = []obj{}
	}
	if !cut {
		return 200, items
	}
	next := fmt.Sprintf("%s ]%v..; max=%d", r.field, items[len(items)-1][r.field], r.max)
	if r.desc {
		next += ", order=desc"
	}
	c.header.Set("Next-Range", next)
	return http.StatusPartialContent, items
}

// holds says whether a value lies in the range, in the direction it is read.
func (r rangeSpec) holds(v any) bool {
	sign := 1
	if r.desc {
		sign = -1
	}
	if r.from != "" {
		if d := sign * order(v, r.from); d < 0 || d == 0 && r.after {
			return false
		}
	}
	return r.to == "" || sign*order(v, r.to) <= 0
}

// order compares numbers as numbers and the rest as text.
func order(a, b any) int {
	x, y := fmt.Sprint(a), fmt.Sprint(b)
	if m, err := strconv.Atoi(x); err == nil {
		if n, err := strconv.Atoi(y); err == nil {
			return m - n
		}
	}
	return strings.Compare(x, y)
}
