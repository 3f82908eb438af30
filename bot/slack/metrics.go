package slack

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what passes between maitred and Slack.
type metrics struct {
	calls    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	heard    *prometheus.CounterVec
	refused  *prometheus.CounterVec
	ghosts   prometheus.Gauge
	attached prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "maitred_slack_calls_total", Help: "Calls to Slack, by method and what came of it."}, []string{"method", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "maitred_slack_call_seconds", Help: "How long Slack took to answer.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 3, 8},
		}, []string{"method"}),
		heard:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "maitred_slack_heard_total", Help: "Deliveries from Slack, by kind and what came of them."}, []string{"kind", "outcome"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "maitred_slack_refused_total", Help: "Requests that were not Slack's, by reason."}, []string{"reason"}),
		ghosts:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "maitred_slack_ghost_connections", Help: "Connections that Slack counts and maitred does not have; deliveries to them are lost."}),
		attached: prometheus.NewGauge(prometheus.GaugeOpts{Name: "maitred_slack_connections", Help: "Socket Mode connections that Slack has greeted."}),
	}
	if r != nil {
		r.MustRegister(m.calls, m.seconds, m.heard, m.refused, m.ghosts, m.attached)
	}
	return m
}
