package platformtest

import (
	"maitred/platform"
)

func set(a *app, r platform.Run, in args, secret string) (platform.Result, error) {
	a.found(r, in.Name)
	a.Variables[in.Name] = secret
	return platform.Result{Say: in.Name + " set"}, nil
}

func unset(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	a.found(r, in.Name)
	delete(a.Variables, in.Name)
	return platform.Result{Say: in.Name + " unset"}, nil
}

// reset puts the value back that set or unset found.
func reset(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	was, ok := a.Values[r.Key]
	switch {
	case !ok:
	case was == nil:
		delete(a.Variables, in.Name)
	default:
		a.Variables[in.Name] = *was
	}
	return platform.Result{Say: "as before"}, nil
}

// found remembers the value of a variable on the platform, the first time r
// runs. It is no part of a Result, which is stored and shown.
func (a *app) found(r platform.Run, name string) {
	if _, again := a.Values[r.Key]; again {
		return
	}
	a.Values[r.Key] = nil
	if value, ok := a.Variables[name]; ok {
		a.Values[r.Key] = &value
	}
}
