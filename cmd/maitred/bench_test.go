package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// BenchmarkStart is from the start of the process to ready, with a store and an
// app that are there, and what an idle maitred holds in memory.
func BenchmarkStart(b *testing.B) {
	d := newDemo(b)
	d.start()
	var starts []time.Duration
	for b.Loop() {
		d.interrupt()
		starts = append(starts, d.start())
	}
	var sum time.Duration
	for _, s := range starts {
		sum += s
	}
	b.ReportMetric(float64(sum.Milliseconds())/float64(len(starts)), "ms/start")
	b.ReportMetric(float64(resident(b, d.process.Process.Pid))/1024, "MiB-idle")
}

// resident is the memory of a process, in KiB.
func resident(tb testing.TB, pid int) (kib int) {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib
		}
	}
	tb.Fatal("VmRSS is not told")
	return 0
}
