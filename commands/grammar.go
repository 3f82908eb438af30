package commands

// Grammar is everything that can be said. Each command is declared once, by a
// struct in a file of its own; its tags are the parser, the help, the completion
// and the reference page. Beside kong's own tags these are used:
//
//	role:"developer"     who is usually given the command: anybody, viewer, developer, oncall, lead
//	complete:"app"       what a value is one of; see complete.go
//	words:"to,in,on"     joining words that may stand before the value instead of the option's name
//	need:"a reason"      the argument must be there, and what it is called when it is not
//	rest:"text"          the argument takes the rest of the line, options taken out
//	rest:"raw"           the argument takes the rest of the line as it is
//	only:"now"           the command answers about now, so saying it again does no harm
//	example:"…"          a line to show in the help
type Grammar struct {
	Help   Help    `cmd:"" group:"Look" role:"anybody" example:"/help backup" help:"What you may do here, or how one command is used."`
	Whoami Whoami  `cmd:"" group:"Look" role:"anybody" example:"/whoami" help:"Who you are to maitred, your roles and what they allow."`
	Apps   AppList `cmd:"" name:"apps" group:"Look" role:"viewer" example:"/apps" help:"The apps that maitred looks after, and where they run."`
	Status Status  `cmd:"" group:"Look" role:"viewer" example:"/status ocpizza" help:"What runs, whether it is healthy, and what stands in the way of a deploy."`
	Ps     Ps      `cmd:"" group:"Look" role:"viewer" example:"/ps ocpizza" help:"The processes of an app."`
	Logs   Logs    `cmd:"" group:"Look" role:"developer" example:"/logs ocpizza --grep error --since 1h" help:"What an app printed."`
	Audit  Audit   `cmd:"" group:"Look" role:"lead" example:"/audit --who ann --since 1d" help:"Who did what, and what was refused."`

	Deploy   Deploy   `cmd:"" group:"Release" role:"developer" example:"/deploy ocpizza@v1.1.0 to production" help:"Put a branch, tag or commit of an app live."`
	Update   Update   `cmd:"" group:"Release" role:"developer" example:"/update ocpizza v1.1.0" help:"The whole drill: maintenance page, backup, deploy, checks, page off. What fails is put back, the database too."`
	Rollback Rollback `cmd:"" group:"Release" role:"developer" example:"/rollback ocpizza to r3" help:"Go back to an earlier release; the one before when none is named."`
	Releases Releases `cmd:"" group:"Release" role:"viewer" example:"/releases ocpizza" help:"The releases of an app: which is live, who made it, when."`

	Approve    Approve    `cmd:"" group:"Operations" role:"lead" example:"/approve 214" help:"Agree that an operation may go. In its thread the number may be left out."`
	Reject     Reject     `cmd:"" group:"Operations" role:"lead" example:"/reject 214 the migration locks the orders table" help:"Say no to an operation, and why."`
	Cancel     Cancel     `cmd:"" group:"Operations" role:"developer" example:"/cancel 214" help:"Stop an operation. What it had changed is taken back."`
	Settle     Settle     `cmd:"" group:"Operations" role:"lead" example:"/settle 214 done the release is on the dashboard" help:"Say what is true of a step of which maitred does not know whether it happened."`
	Breakglass Breakglass `cmd:"" group:"Operations" role:"lead" example:"/breakglass 214 the shop is down and nobody is awake" help:"Let an operation go without its approvals. The whole channel is told."`
	Queue      Queue      `cmd:"" group:"Operations" role:"viewer" example:"/queue" help:"What is running, what waits, and behind what."`
	Operation  Operation  `cmd:"" group:"Operations" aliases:"op" role:"viewer" example:"/operation 214" help:"The history of one operation."`

	Lock     Lock     `cmd:"" group:"Keep out" role:"developer" example:"/lock ocpizza testing by hand --for 2h" help:"Keep everybody else from changing an app for a while."`
	Unlock   Unlock   `cmd:"" group:"Keep out" role:"developer" example:"/unlock ocpizza" help:"Take the lock away."`
	Freeze   Freeze   `cmd:"" group:"Keep out" role:"lead" example:"/freeze ocpizza the sale is on --for 1d" help:"Stop deploys for everybody."`
	Unfreeze Unfreeze `cmd:"" group:"Keep out" role:"lead" example:"/unfreeze ocpizza" help:"Let deploys happen again."`

	Maintenance Maintenance `cmd:"" group:"Run" help:"Show visitors a maintenance page in place of the app, or stop showing it."`
	Start       Start       `cmd:"" group:"Run" role:"oncall" example:"/start ocpizza" help:"Start an app that was stopped, or one process of it."`
	Stop        Stop        `cmd:"" group:"Run" role:"oncall" example:"/stop ocpizza worker" help:"Stop an app, or one process of it."`
	Restart     Restart     `cmd:"" group:"Run" role:"oncall" example:"/restart ocpizza web" help:"Restart an app, or one process of it."`
	Scale       Scale       `cmd:"" group:"Run" role:"oncall" example:"/scale ocpizza web=2:standard-2x" help:"Change how many processes run, and how large they are."`
	Run         Run         `cmd:"" group:"Run" role:"developer" example:"/run ocpizza python manage.py check --deploy" help:"Run a one-off command in the release that is live."`

	Config Config `cmd:"" group:"Configure" help:"The environment variables of an app. Values are typed in a private form and never shown."`
	Backup Backup `cmd:"" group:"Back up" help:"Make, look at and put back copies of a database."`
}
