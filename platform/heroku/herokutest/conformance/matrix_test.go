package conformance

import (
	"testing"

	"maitred/platform/heroku/herokutest"
)

// life is what is done with apps and their dynos.
func life() []play {
	return []play{
		{line: "maintenance -a demo", says: []string{"off"}},
		{line: "maintenance:on -a demo", changes: []string{"maintenance: false -> true"}},
		{line: "maintenance:off -a demo", before: func(h *herokutest.Heroku) { h.SetMaintenance("demo", true) }, changes: []string{"maintenance: true -> false"}},
		{line: "ps -a demo", says: []string{"web.1: up", "worker.1: up", "serve"}},
		{line: "ps:scale web=0 -a demo", changes: []string{"formation web: 1 of Basic -> 0 of Basic", "dyno web.1: gone"}},
		{line: "ps:scale web+2 worker=1 -a demo", changes: []string{"dyno web.2: serve", "dyno web.3: serve", "formation web: 1 of Basic -> 3 of Basic"}},
		{line: "ps:scale web=1:Standard-2X worker=1:Standard-2X -a demo", changes: []string{"formation web: 1 of Basic -> 1 of Standard-2X", "formation worker: 1 of Basic -> 1 of Standard-2X"}},
		{line: "ps:type standard-1x -a demo", changes: []string{"formation web: 1 of Basic -> 1 of Standard-1X", "formation worker: 1 of Basic -> 1 of Standard-1X"}},
		{line: "restart -a demo", changes: []string{"times restart: 2"}},
		{line: "ps:restart web.1 -a demo", changes: []string{"times restart: 1"}},
		{line: "ps:restart --process-type web -a demo", changes: []string{"times restart: 1"}},
		{line: "ps:stop --process-type worker -a demo", changes: []string{"times restart: 1"}},
		{line: "ps:wait -a demo"},
		{line: "apps", says: []string{"demo"}},
		{line: "apps:info -a demo", says: []string{"heroku-24", "ann@example.com", "standard-0"}},
		{line: "apps:create shiny-app", after: func(t *testing.T, h *herokutest.Heroku) {
			if h.State("shiny-app")["app"] != "heroku-24" {
				t.Error("there is no shiny-app")
			}
		}},
		{line: "apps:destroy -a demo-staging --confirm demo-staging", after: func(t *testing.T, h *herokutest.Heroku) {
			if len(h.State("demo-staging")) != 0 {
				t.Error("demo-staging is still there")
			}
		}},
		{line: "run -a demo --exit-code -- 'echo $GREETING; (exit 3)'", before: func(h *herokutest.Heroku) { h.SetConfig("demo", "GREETING", "bonjour") }, code: 3, says: []string{"bonjour"}, changes: []string{"times run: 1"}},
		{line: "run:detached -a demo -- 'echo later'", says: []string{"run.1001"}, changes: []string{"times run: 1"}},
		{line: "logs -a demo -n 50 --source app --dyno-name web.1", before: func(h *herokutest.Heroku) {
			h.Print("demo", "app", "web.1", "table for two")
			h.Print("demo", "app", "worker.1", "washing up")
		}, says: []string{"app[web.1]: table for two"}},
		{line: "logs -a demo -n 5", before: func(h *herokutest.Heroku) { h.Print("demo", "app", "worker.1", "washing up") }, says: []string{"washing up"}},
	}
}

// releases is what makes releases, and what goes back to them.
func releases() []play {
	return []play{
		{line: "releases -a demo", says: []string{"v5", "Deploy c0ffee2", "v4"}},
		{line: "releases -a demo --json -n 2", says: []string{`"version": 5`, `"version": 4`}},
		{line: "releases:info v4 -a demo", says: []string{"Deploy c0ffee1", "ann@example.com"}},
		{line: "releases:rollback v4 -a demo", says: []string{"v4"}, changes: []string{"current: v5 of c0ffee2 -> v6 of c0ffee1", "release v6: Rollback to v4, succeeded"}},
		{line: "rollback -a demo", changes: []string{"current: v5 of c0ffee2 -> v6 of c0ffee1", "release v6: Rollback to v4, succeeded"}},
		{line: "config -a demo", says: []string{"DATABASE_URL", "postgres://"}},
		{line: "config:get DATABASE_URL -a demo", says: []string{"postgres://"}},
		{line: "config:set FOO=bar BAZ= -a demo", says: []string{"v6"}, changes: []string{"config BAZ: ", "config FOO: bar", "current: v5 of c0ffee2 -> v6 of c0ffee2", "release v6: Set BAZ, FOO config vars, succeeded"}},
		{line: "config:set FOO=bar -a demo", changes: []string{"config FOO: bar", "current: v5 of c0ffee2 -> v6 of c0ffee2", "release v6: Set FOO config vars, succeeded"}},
		{line: "config:unset FOO -a demo", before: func(h *herokutest.Heroku) { h.SetConfig("demo", "FOO", "bar") }, says: []string{"v7"}, changes: []string{"current: v6 of c0ffee2 -> v7 of c0ffee2", "release v7: Remove FOO config vars, succeeded", "config FOO: gone"}},
		{line: "pipelines", says: []string{"demo-line"}},
		{line: "pipelines:promote -a demo-staging", says: []string{"succeeded"}, changes: []string{"current: v5 of c0ffee2 -> v6 of c0ffee3", "release v6: Promote demo-staging v3 c0ffee3, succeeded"}},
		{line: "pipelines:promote -a demo-staging --to demo", says: []string{"succeeded"}, changes: []string{"current: v5 of c0ffee2 -> v6 of c0ffee3", "release v6: Promote demo-staging v3 c0ffee3, succeeded"}},
	}
}

// things is what hangs on an app.
func things() []play {
	return []play{
		{line: "addons -a demo", says: []string{"postgresql-curved-10001", "standard-0"}},
		{line: "addons:info postgresql-curved-10001 -a demo", says: []string{"standard-0"}},
		{line: "addons:create heroku-redis:mini -a demo --wait", changes: []string{"addon redis-curved-10002: heroku-redis:mini, provisioned", "attachment REDIS: redis-curved-10002", "config REDIS_URL: of redis-curved-10002", "current: v5 of c0ffee2 -> v6 of c0ffee2", "release v6: Attach REDIS (@ref:redis-curved-10002), succeeded"}},
		{line: "addons:create papertrail:choklad -a demo --name paper", says: []string{"paper"}, changes: []string{"addon paper: papertrail:choklad, provisioned", "attachment PAPERTRAIL: paper", "config PAPERTRAIL_URL: of paper", "current: v5 of c0ffee2 -> v6 of c0ffee2", "release v6: Attach PAPERTRAIL (@ref:paper), succeeded"}},
		{line: "addons:upgrade postgresql-curved-10001 heroku-postgresql:premium-0 -a demo", changes: []string{"addon postgresql-curved-10001: heroku-postgresql:standard-0, provisioned -> heroku-postgresql:premium-0, provisioned", "current: v5 of c0ffee2 -> v6 of c0ffee2", "release v6: Update heroku-postgresql by user ann@example.com, succeeded"}},
		{line: "addons:attach postgresql-curved-10001 --as SECOND -a demo", changes: []string{"attachment SECOND: postgresql-curved-10001", "config SECOND_URL: of postgresql-curved-10001", "current: v5 of c0ffee2 -> v6 of c0ffee2", "release v6: Attach SECOND (@ref:postgresql-curved-10001), succeeded"}},
		{line: "addons:destroy postgresql-curved-10001 -a demo --confirm demo", changes: []string{
			"current: v5 of c0ffee2 -> v6 of c0ffee2", "release v6: Detach DATABASE (@ref:postgresql-curved-10001), succeeded", "addon postgresql-curved-10001: gone", "attachment DATABASE: gone", "config DATABASE_URL: gone",
			"connections postgresql-curved-10001: gone", "credential default: gone", "database postgresql-curved-10001: gone", "upkeep postgresql-curved-10001: gone", "version postgresql-curved-10001: gone", "window postgresql-curved-10001: gone",
		}},
		{line: "buildpacks:set https://github.com/heroku/heroku-buildpack-go -a demo", changes: []string{"buildpack 0: https://github.com/heroku/heroku-buildpack-go"}},
		{line: "domains:add www.example.com -a demo --wait", changes: []string{"domain www.example.com: there"}},
		{line: "domains -a demo", says: []string{"demo.herokuapp.com"}},
		{line: "certs:auto:enable -a demo", changes: []string{"acm: false -> true"}},
		{line: "drains:add https://u:p@drain.example.com/logs -a demo", says: []string{"Successfully added"}, changes: []string{"drain https://u:p@drain.example.com/logs: there"}},
		{line: "access:add bob@example.com -a demo", changes: []string{"collaborators: ann@example.com -> ann@example.com bob@example.com"}},
		{line: "features:enable log-runtime-metrics -a demo", changes: []string{"feature log-runtime-metrics: true"}},
	}
}

// databases is what the data API does.
func databases() []play {
	const db = "postgresql-curved-10001"
	captured := func(h *herokutest.Heroku) { h.Capture("demo"); h.Write("demo", "newer orders") }
	return []play{
		{line: "pg:info -a demo", says: []string{"Standard 0", "3/120", "64 GB"}},
		{line: "pg:backups:capture -a demo", says: []string{"b001"}, changes: []string{"transfer 1: DATABASE to BACKUP, succeeded"}},
		{line: "pg:backups:capture -a demo --verbose", says: []string{"b001"}, changes: []string{"transfer 1: DATABASE to BACKUP, succeeded"}},
		{line: "pg:backups:capture -a demo --wait-interval 4", before: func(h *herokutest.Heroku) { h.FailTransfer("demo", "disk is full") }, code: 2, says: []string{"disk is full"}, changes: []string{"transfer 1: DATABASE to BACKUP, failed"}},
		{line: "pg:backups -a demo", before: captured, says: []string{"b001", "Completed"}},
		{line: "pg:backups:info b001 -a demo", before: captured, says: []string{"b001", "Completed"}},
		{line: "pg:backups:url b001 -a demo", before: captured, says: []string{"/streams/dumps/"}},
		{line: "pg:backups:delete b001 -a demo --confirm demo", before: captured, changes: []string{"transfer 1: DATABASE to BACKUP, succeeded -> DATABASE to BACKUP, deleted"}},
		{line: "pg:backups:restore b001 DATABASE_URL -a demo --confirm demo", before: captured, changes: []string{"database " + db + ": newer orders -> orders", "transfer 2: BACKUP to DATABASE, succeeded"}},
		{line: "pg:backups:cancel -a demo", before: func(h *herokutest.Heroku) { h.Hold(herokutest.Transfers); h.Capture("demo") }, changes: []string{"transfer 1: DATABASE to BACKUP, running -> DATABASE to BACKUP, cancelled"}},
		{line: "pg:backups:schedule DATABASE --at '02:00 America/Los_Angeles' -a demo", changes: []string{"schedule DATABASE_URL: 02:00 America/Los_Angeles"}},
		{line: "pg:backups:schedules -a demo", before: func(h *herokutest.Heroku) { h.Schedule("demo", 2, "Europe/Paris") }, says: []string{"DATABASE_URL", "Europe/Paris"}},
		{line: "pg:backups:unschedule DATABASE -a demo", before: func(h *herokutest.Heroku) { h.Schedule("demo", 2, "Europe/Paris") }, changes: []string{"schedule DATABASE_URL: gone"}},
		{line: "pg:copy DATABASE HEROKU_POSTGRESQL_RED -a demo --confirm RED", before: func(h *herokutest.Heroku) { h.AddDatabase("demo", "standard-0") }, changes: []string{"database postgresql-curved-10002:  -> orders", "transfer 1: DATABASE to RED, succeeded"}},
		{line: "pg:credentials -a demo", says: []string{"default"}},
		{line: "pg:credentials:url -a demo", says: []string{"postgres://"}},
		{line: "pg:credentials:rotate -a demo --confirm demo --all --force", changes: []string{"current: v5 of c0ffee2 -> v6 of c0ffee2", "release v6: Update DATABASE by heroku-postgresql, succeeded", "times rotation: 1"}},
		{line: "pg:wait -a demo"},
		{line: "pg:killall -a demo", changes: []string{"connections " + db + ": 3 -> 0"}},
		{line: "pg:reset DATABASE -a demo --confirm demo", changes: []string{"database " + db + ": orders -> "}},
		{line: "pg:upgrade:prepare DATABASE -a demo --confirm demo --version 17", changes: []string{"version " + db + ": 16.4  -> 16.4 prepared"}},
		{line: "data:maintenances -a demo", before: func(h *herokutest.Heroku) { h.NeedMaintenance("demo") }, says: []string{db}},
		{line: "data:maintenances:info DATABASE -a demo", before: func(h *herokutest.Heroku) { h.NeedMaintenance("demo") }, says: []string{"ready"}},
		{line: "data:maintenances:run DATABASE -a demo --confirm demo --wait", before: func(h *herokutest.Heroku) { h.NeedMaintenance("demo") }, changes: []string{"times maintenance: 1", "upkeep " + db + ": ready -> completed"}},
		{line: "data:maintenances:schedule DATABASE -a demo --weeks 2", before: func(h *herokutest.Heroku) { h.NeedMaintenance("demo") }, says: []string{"scheduled"}},
		{line: "data:maintenances:history DATABASE -a demo"},
		{line: "data:maintenances:window DATABASE -a demo", says: []string{"sunday"}},
		{line: "data:maintenances:window:update DATABASE monday 22:00 -a demo", changes: []string{"window " + db + ": sunday 06:00 -> monday 22:00"}},
		{line: "pg:maintenance -a demo", version: "cli10", says: []string{"window is sunday 06:00"}},
		{line: "pg:maintenance:run -a demo --force", version: "cli10", before: func(h *herokutest.Heroku) { h.NeedMaintenance("demo"); h.Hold(herokutest.Maintenances) }, changes: []string{"times maintenance: 1", "upkeep " + db + ": ready -> running"}},
		{line: "pg:maintenance:window 'Monday 22:00' DATABASE -a demo", version: "cli10", changes: []string{"window " + db + ": sunday 06:00 -> monday 22:00"}},
	}
}

// refusals is what does not work there either.
func refusals() []play {
	return []play{
		{line: "apps:info -a nobody", code: 2, says: []string{"Couldn't find that app.", "not_found"}},
		{line: "ps:scale cook=2 -a demo", code: 2, says: []string{"Couldn't find that process type (cook)."}},
		{line: "ps:type web=gigantic -a demo", code: 2, says: []string{"No such size as gigantic"}},
		{line: "maintenance:on --app demo", before: func(h *herokutest.Heroku) {
			h.Fail(herokutest.Fault{On: "PATCH /apps/demo", Status: 429, ID: "rate_limit", Message: "Your account reached the API rate limit."})
		}, code: 2, says: []string{"rate_limit"}},
		{line: "config --app demo", before: func(h *herokutest.Heroku) { h.Fail(herokutest.Fault{On: "config-vars"}) }, code: 1, says: []string{"Application error"}},
		{line: "releases --app demo", before: func(h *herokutest.Heroku) { h.SetRemaining(-1000) }, code: 2, says: []string{"rate_limit"}},
		{line: "maintenance --app demo", before: func(h *herokutest.Heroku) { h.Edit("demo", func(a *herokutest.App) { a.Suspended = true }) }, code: 2, says: []string{"suspended"}},
		{line: "restart --app demo", before: func(h *herokutest.Heroku) { h.Edit("demo", func(a *herokutest.App) { a.TwoFactor = true }) }, code: 1},
		{line: "pg:backups:cancel --app demo", code: 2, says: []string{"No active backups/transfers"}},
		{line: "pg:backups:restore --app demo --confirm demo", code: 1, says: []string{"No backups"}},
		{line: "addons:create heroku-postgresql:enormous -a demo", code: 2, says: []string{"enormous"}},
		{line: "drains:add gopher://drain -a demo", code: 2},
		{line: "pg:maintenance:run --app demo", code: 127},
	}
}
