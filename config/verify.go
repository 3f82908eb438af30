package config

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/host"
	"maitred/platform/source"
)

// verify tells what cannot be seen by reading one value alone: names that lead
// nowhere, things said twice, and rules that nobody could ever fulfil.
func (d *decoder) verify(c *Config) {
	d.process(c)
	d.chats(c)
	d.people(c)
	d.roles(c)
	d.approvals(c)
	d.windows(c)
	d.channels(c)
	d.apps(c)
	for i, name := range c.Own.Apps {
		d.known(c.Apps.Names(), "apps", "app", name, "own", "apps", strconv.Itoa(i))
	}
}

// where is the problem of what is written at the path, or at the nearest thing
// around it.
func (d *decoder) where(hint, say string, args []any, path ...string) {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if n := d.at[strings.Join(path, ".")]; n != nil {
			d.problem(n, hint, say, args...)
			return
		}
	}
	d.problem(nil, hint, say, args...)
}

// unread reports whether the value at the path was wrong already, so that one
// mistake is told once.
func (d *decoder) unread(path ...string) bool {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if d.broken[strings.Join(path, ".")] {
			return true
		}
	}
	return false
}

// known tells when name is none of names, which are those of the section.
func (d *decoder) known(names []string, in, noun, name string, path ...string) bool {
	if slices.Contains(names, name) || d.broken[in] || d.unread(path...) {
		return true
	}
	d.where(didYouMean(name, names), "There is no %s %q.", []any{noun, clip(name)}, path...)
	return false
}

// needs tells when a setting was left out.
func (d *decoder) needs(value string, path ...string) bool {
	if value != "" || d.unread(path...) {
		return true
	}
	name := path[len(path)-1]
	if of := path[len(path)-2]; !isNumber(of) {
		name += " of " + of
	}
	d.where("", "%s is missing.", []any{name}, path...)
	return false
}

func (d *decoder) process(c *Config) {
	if c.DataDir == "" && !d.unread("data_dir") {
		d.where("For example data_dir: /var/lib/maitred.", "data_dir is missing.", nil, "data_dir")
	}
	d.database(c)
	if c.Replica != "" && c.Database.SQLite() {
		d.where("Set database: postgres://…, or take replica out.", "Replicas need PostgreSQL: one file of SQLite serves one maitred.", nil, "replica")
	}
	if _, port, err := net.SplitHostPort(c.Listen); (err != nil || port == "") && !d.unread("listen") {
		d.where("For example 127.0.0.1:8080.", "listen %q is no address.", []any{clip(c.Listen)}, "listen")
	}
}

func (d *decoder) database(c *Config) {
	text := string(c.Database)
	if c.Database.SQLite() || d.unread("database") {
		return
	}
	if strings.Contains(text, "${") {
		if problem := referenceProblem(text); problem != "" {
			d.where("", "database cannot be read: %s.", []any{problem}, "database")
		}
		c.refs = append(c.refs, reference{path: "database", text: text})
		return
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		d.where("Write sqlite, postgres://… or ${env:NAME}.", "database is neither sqlite nor the URL of a PostgreSQL.", nil, "database")
		return
	}
	_, inline := u.User.Password()
	if inline || u.Query().Has("password") || u.Query().Has("sslpassword") {
		d.where("Put the URL into the environment or a file, and write ${env:DATABASE_URL} or ${file:/path} here.",
			"database holds a password, and this file is no place for one.", nil, "database")
	}
}

func (d *decoder) people(c *Config) {
	ids, tokens := map[string]string{}, map[string]string{}
	for name, p := range c.People.All() {
		d.holder(c, name, p.Roles, "people")
		if _, err := time.LoadLocation(p.Zone); err != nil {
			d.where("For example Europe/Paris.", "There is no time zone %q.", []any{clip(p.Zone)}, "people", name, "zone")
		}
		d.ids(p.Chats, ids, "people", name)
		d.token(p.TokenSHA256, tokens, "people", name, "token_sha256")
	}
	for name, s := range c.Services.All() {
		d.holder(c, name, s.Roles, "services")
		d.ids(s.Chats, ids, "services", name)
		if _, taken := c.People.Get(name); taken {
			d.where("Give the service another name.", "%s is a person already.", []any{name}, "services", name)
		}
		if d.needs(s.TokenSHA256, "services", name, "token_sha256") {
			d.token(s.TokenSHA256, tokens, "services", name, "token_sha256")
		}
	}
}

// ids are whom the chats know somebody as; each belongs to one.
func (d *decoder) ids(chats map[string]string, seen map[string]string, section, name string) {
	for _, chat := range slices.Sorted(maps.Keys(chats)) {
		id := chats[chat]
		if !d.known(Chats, "", "chat", chat, section, name, "chats", chat) {
			continue
		}
		if other, taken := seen[chat+"/"+id]; taken {
			d.where("An id belongs to one.", "%s is %s in %s already.", []any{other, clip(id), chat}, section, name, "chats", chat)
		}
		seen[chat+"/"+id] = name
	}
}

func (d *decoder) holder(c *Config, name string, roles []string, section string) {
	for i, role := range roles {
		d.known(c.Roles.Names(), "roles", "role", role, section, name, "roles", strconv.Itoa(i))
	}
}

func (d *decoder) token(hash string, seen map[string]string, path ...string) {
	if hash == "" || d.unread(path...) {
		return
	}
	if raw, err := hex.DecodeString(hash); err != nil || len(raw) != 32 || hash != strings.ToLower(hash) {
		d.where("maitred token makes a token and its hash.", "token_sha256 should be 64 hexadecimal digits in lower case.", nil, path...)
		return
	}
	if other, taken := seen[hash]; taken {
		d.where("Make another with maitred token.", "%s has the same token.", []any{other}, path...)
	}
	seen[hash] = path[1]
}

func (d *decoder) roles(c *Config) {
	for name, role := range c.Roles.All() {
		if len(role.May) == 0 && !d.unread("roles", name, "may") {
			d.where("For example may: [deploy, backup].", "The role %s may do nothing.", []any{name}, "roles", name)
		}
		for i, pattern := range role.May {
			d.verb(verbs(), pattern, "roles", name, "may", strconv.Itoa(i))
		}
		d.scope(c, role.Apps, role.Environments, "roles", name)
		for chat := range role.Groups {
			d.known(Chats, "", "chat", chat, "roles", name, "groups", chat)
		}
	}
}

// verb tells when a pattern covers no command.
func (d *decoder) verb(verbs []string, pattern string, path ...string) {
	if d.unread(path...) || slices.ContainsFunc(verbs, func(v string) bool { return engine.Covers(pattern, v) }) {
		return
	}
	hint := didYouMean(pattern, verbs)
	if hint == "" {
		hint = "See docs/commands.md."
	}
	d.where(hint, "%q is no command.", []any{clip(pattern)}, path...)
}

// scope checks the apps and environments that a role or rule is limited to.
func (d *decoder) scope(c *Config, apps, environments []string, path ...string) {
	for i, app := range apps {
		d.known(c.Apps.Names(), "apps", "app", app, append(slices.Clone(path), "apps", strconv.Itoa(i))...)
	}
	for i, e := range environments {
		d.known(c.environments(), "apps", "environment", e, append(slices.Clone(path), "environments", strconv.Itoa(i))...)
	}
}

// environments are the names of all environments of all apps.
func (c *Config) environments() []string {
	var names []string
	for _, app := range c.Apps.All() {
		names = append(names, app.Environments.Names()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (d *decoder) approvals(c *Config) {
	for i, rule := range c.Approvals {
		n := strconv.Itoa(i)
		if len(rule.Verbs) == 0 && !d.unread("approvals", n, "for") {
			d.where("For example for: [deploy].", "This rule is for no command.", nil, "approvals", n)
		}
		for j, verb := range rule.Verbs {
			d.verb(operationverbs(), verb, "approvals", n, "for", strconv.Itoa(j))
		}
		d.scope(c, rule.Apps, rule.Environments, "approvals", n)
		for j, role := range rule.Unless {
			d.known(c.Roles.Names(), "roles", "role", role, "approvals", n, "unless", strconv.Itoa(j))
		}
		d.approvers(c, rule, n)
		if rule.Remind > 0 && rule.Expires > 0 && rule.Remind >= rule.Expires {
			d.where("", "The reminder after %s would come after the end at %s.", []any{rule.Remind, rule.Expires}, "approvals", n, "remind")
		}
	}
}

// approvers tells of a rule that could never be fulfilled: the requester never
// counts, and services never approve.
func (d *decoder) approvers(c *Config, rule engine.ApprovalRule, n string) {
	if len(rule.Roles) == 0 {
		if !d.unread("approvals", n, "of") {
			d.where("For example of: [lead].", "This rule names no role whose holders decide.", nil, "approvals", n)
		}
		return
	}
	clear := true
	for j, role := range rule.Roles {
		clear = d.known(c.Roles.Names(), "roles", "role", role, "approvals", n, "of", strconv.Itoa(j)) && clear
	}
	groups, holders := false, 0
	for name, role := range c.Roles.All() {
		groups = groups || slices.Contains(rule.Roles, name) && len(role.Groups) > 0
	}
	for _, p := range c.People.All() {
		if slices.ContainsFunc(p.Roles, func(r string) bool { return slices.Contains(rule.Roles, r) }) {
			holders++
		}
	}
	if need := max(rule.Count, 1); clear && !groups && holders < need && !d.broken["people"] && !d.broken["roles"] {
		d.where("Give the role to more people, or ask for fewer.", "%d must approve, but only %d hold %s.",
			[]any{need, holders, list(rule.Roles, "or")}, "approvals", n, "of")
	}
}

// operationverbs are the commands that an approval can be asked for.
func operationverbs() []string {
	kinds := []platform.Kind{platform.Deploy, platform.Rollback, platform.Update, platform.Restore, platform.Capture, platform.Maintain,
		platform.Start, platform.Stop, platform.Restart, platform.Scale, platform.RunCommand, platform.SetConfig, platform.UnsetConfig}
	verbs := make([]string, len(kinds))
	for i, k := range kinds {
		verbs[i] = k.Verb()
	}
	return verbs
}

func (d *decoder) windows(c *Config) {
	for i, w := range c.Windows {
		n := strconv.Itoa(i)
		d.scope(c, w.Apps, w.Environments, "windows", n)
		if _, err := time.LoadLocation(w.Zone); err != nil {
			d.where("For example Europe/Paris.", "There is no time zone %q.", []any{clip(w.Zone)}, "windows", n, "zone")
		}
		if w.To != 0 && w.To <= w.From && !d.unread("windows", n, "from") && !d.unread("windows", n, "to") {
			d.where("Write two windows for one that goes over midnight.", "The window ends at %s, before it begins at %s.", []any{w.To, w.From}, "windows", n)
		}
	}
}

func (d *decoder) channels(c *Config) {
	seen := map[string]bool{}
	for i, ch := range c.Channels {
		n := strconv.Itoa(i)
		if d.needs(ch.Chat, "channels", n, "chat") {
			d.known(Chats, "", "chat", ch.Chat, "channels", n, "chat")
		}
		d.needs(ch.ID, "channels", n, "id")
		if key := ch.Chat + "/" + ch.ID; seen[key] {
			d.where("", "The channel %s is written twice.", []any{clip(key)}, "channels", n)
		} else {
			seen[key] = true
		}
		if ch.Environment != "" && ch.App == "" {
			d.where("Add app.", "An environment without its app says nothing.", nil, "channels", n, "environment")
		}
		if ch.App == "" || !d.known(c.Apps.Names(), "apps", "app", ch.App, "channels", n, "app") {
			continue
		}
		if app, _ := c.Apps.Get(ch.App); ch.Environment != "" {
			d.known(app.Environments.Names(), "apps."+ch.App+".environments", "environment of "+ch.App, ch.Environment, "channels", n, "environment")
		}
	}
}

func (d *decoder) apps(c *Config) {
	dirs, addresses := map[string]string{}, map[string]string{c.Listen: "maitred itself"}
	for name, app := range c.Apps.All() {
		if d.unread("apps", name) {
			continue
		}
		d.sources(app, name)
		d.home(c, app.Channel, "apps", name, "channel")
		if len(app.Environments) == 0 && !d.unread("apps", name, "environments") {
			d.where("For example environments: {production: {provider: host, …}}.", "%s has no environment.", []any{name}, "apps", name, "environments")
		}
		for env, e := range app.Environments.All() {
			path := []string{"apps", name, "environments", env}
			d.home(c, e.Channel, append(path, "channel")...)
			if !d.needs(e.Provider, append(path, "provider")...) || !d.known(Providers, "", "provider", e.Provider, append(path, "provider")...) || d.unread(append(path, "provider")...) {
				continue
			}
			if e.Provider == "heroku" {
				d.heroku(c, platform.Target{App: name, Environment: env}, e, path)
				continue
			}
			d.host(c, platform.Target{App: name, Environment: env}, e, dirs, addresses, path)
		}
	}
}

// sources checks that an app comes from somewhere.
func (d *decoder) sources(app App, name string) {
	if app.Repository != "" && !d.unread("apps", name, "repository") {
		if err := source.CheckRepository(app.Repository); err != nil {
			f := fault.Of(err)
			d.where(f.Hint, "%s", []any{f.Say}, "apps", name, "repository")
		}
	}
	if app.Archives == "" {
		d.needs(app.Repository, "apps", name, "repository")
		return
	}
	if !filepath.IsAbs(app.Archives) && !strings.HasPrefix(app.Archives, "https://") && !strings.HasPrefix(app.Archives, "http://") {
		d.where("Write a directory as /srv/deliveries, or an address as https://files.example.org/ocpizza.",
			"%q is neither an absolute directory nor an address.", []any{clip(app.Archives)}, "apps", name, "archives")
	}
}

// home checks the channel where messages go.
func (d *decoder) home(c *Config, home string, path ...string) {
	if home == "" {
		return
	}
	names := make([]string, len(c.Channels))
	for i, ch := range c.Channels {
		names[i] = ch.Chat + "/" + ch.ID
	}
	d.known(names, "channels", "channel", home, path...)
}

// host checks the settings of a target on this machine.
func (d *decoder) host(c *Config, t platform.Target, e Environment, dirs, addresses map[string]string, path []string) {
	if e.Host == nil {
		if !d.unread(append(path, "host")...) {
			d.where("Add host: with dir and listen.", "%s has no settings for its provider host.", []any{t}, append(path, "provider")...)
		}
		return
	}
	if c.Replica != "" {
		d.where("Take replica out, or move the app.", "%s lives on this machine (transport: local), which replicas of maitred cannot share.", []any{t}, append(path, "host")...)
	}
	for section := range d.broken {
		if strings.HasPrefix(section, strings.Join(append(path, "host"), ".")) {
			return
		}
	}
	if _, err := host.New(*e.Host, host.Options{Target: t}); err != nil {
		d.where("", "%s", []any{fault.Of(err).Say}, append(path, "host")...)
		return
	}
	if within(e.Host.Dir, c.DataDir) {
		d.where("Choose another dir.", "%s would live around maitred's own data_dir.", []any{t}, append(path, "host", "dir")...)
	}
	once(d, dirs, e.Host.Dir, t, "dir", append(path, "host", "dir"))
	once(d, addresses, e.Host.Listen, t, "address", append(path, "host", "listen"))
}

// once tells when two targets share what each needs for itself.
func once(d *decoder, seen map[string]string, value string, t platform.Target, noun string, path []string) {
	if other, taken := seen[value]; taken {
		d.where(fmt.Sprintf("Choose another %s.", noun), "%s is the %s of %s already.", []any{clip(value), noun, other}, path...)
	}
	seen[value] = t.String()
}

// within reports whether path is dir or below it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
