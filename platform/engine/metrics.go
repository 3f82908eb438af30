package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"maitred/platform"
)

// metrics counts what the engine does.
type metrics struct {
	asked    *prometheus.CounterVec
	finished *prometheus.CounterVec
	took     *prometheus.HistogramVec
	steps    *prometheus.HistogramVec
	live     *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	buckets := []float64{.05, .2, 1, 5, 15, 60, 300, 900, 3600}
	m := &metrics{
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "maitred_operations_submitted_total", Help: "Operations that passed the gates, by kind."}, []string{"kind"}),
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "maitred_operations_ended_total", Help: "Operations that ended, by kind and state."}, []string{"kind", "state"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "maitred_operation_seconds", Help: "From the start of an operation to its end.", Buckets: buckets}, []string{"kind"}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "maitred_step_seconds", Help: "How long steps took, by action and outcome.", Buckets: buckets}, []string{"action", "outcome"}),
		live: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "maitred_operations_live", Help: "Operations that have not ended, by state."}, []string{"state"}),
	}
	if r != nil {
		r.MustRegister(m.asked, m.finished, m.took, m.steps, m.live)
	}
	return m
}

func (m *metrics) submitted(op platform.Operation) { m.asked.WithLabelValues(string(op.Kind)).Inc() }

func (m *metrics) ended(op platform.Operation) {
	m.finished.WithLabelValues(string(op.Kind), string(op.State)).Inc()
	if !op.Started.IsZero() {
		m.took.WithLabelValues(string(op.Kind)).Observe(op.Ended.Sub(op.Started).Seconds())
	}
}

func (m *metrics) step(action string, out outcome, took time.Duration) {
	m.steps.WithLabelValues(action, string(out)).Observe(took.Seconds())
}

func (m *metrics) lines(live []platform.Operation) {
	count := map[platform.State]int{}
	for _, op := range live {
		count[op.State]++
	}
	for _, s := range platform.States {
		if !s.Ended() {
			m.live.WithLabelValues(string(s)).Set(float64(count[s]))
		}
	}
}
