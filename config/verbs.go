package config

// Verbs are the commands that a role can name.
func Verbs() []string {
	return []string{"help", "whoami", "apps", "status", "deploy", "rollback", "releases", "approve", "reject", "cancel", "settle", "breakglass",
		"queue", "lock", "unlock", "freeze", "unfreeze", "maintenance on", "maintenance off", "maintenance status", "start", "stop", "restart",
		"ps", "scale", "run", "logs", "config list", "config set", "config unset", "backup capture", "backup list", "backup info",
		"backup cancel", "backup restore", "backup schedule", "backup unschedule", "backup schedules", "update", "operation", "audit"}
}
