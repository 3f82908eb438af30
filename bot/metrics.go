package bot

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what is heard and what comes of it.
type metrics struct {
	acked     prometheus.Histogram
	lost      prometheus.Counter
	takenOver prometheus.Counter
	lines     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer, waiting func() int) *metrics {
	m := &metrics{
		acked: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "maitred_ack_seconds", Help: "From hearing a line to its being on disk.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 3},
		}),
		lost:      prometheus.NewCounter(prometheus.CounterOpts{Name: "maitred_unheard_total", Help: "Lines that could not be stored and were not acknowledged."}),
		takenOver: prometheus.NewCounter(prometheus.CounterOpts{Name: "maitred_lines_taken_over_total", Help: "Lines that an earlier start or another replica had left unanswered."}),
		lines:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "maitred_lines_total", Help: "Lines carried out, by command and outcome."}, []string{"verb", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "maitred_line_seconds", Help: "From taking a line up to knowing the answer.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 30, 120},
		}, []string{"verb"}),
	}
	if r != nil {
		backlog := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "maitred_lines_waiting", Help: "Lines that were heard and that no worker has taken up yet."},
			func() float64 { return float64(waiting()) })
		r.MustRegister(m.acked, m.lost, m.takenOver, m.lines, m.seconds, backlog)
	}
	return m
}

func (m *metrics) took(verb, outcome string, d time.Duration) {
	m.lines.WithLabelValues(verb, outcome).Inc()
	m.seconds.WithLabelValues(verb).Observe(d.Seconds())
}
