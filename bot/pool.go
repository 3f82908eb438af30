package bot

import "sync"

// pool works on at most some jobs at once, in the order in which they came. What
// waits costs a slot in a slice and no goroutine.
type pool struct {
	most int

	mu      sync.Mutex
	idle    *sync.Cond
	jobs    []func()
	workers int
}

func newPool(most int) *pool {
	p := &pool{most: most}
	p.idle = sync.NewCond(&p.mu)
	return p
}

func (p *pool) put(job func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jobs = append(p.jobs, job)
	if p.workers < p.most {
		p.workers++
		go p.work()
	}
}

func (p *pool) work() {
	for {
		job, ok := p.next()
		if !ok {
			return
		}
		job()
	}
}

func (p *pool) next() (func(), bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.jobs) == 0 {
		p.jobs = nil
		p.workers--
		p.idle.Broadcast()
		return nil, false
	}
	job := p.jobs[0]
	p.jobs[0] = nil
	p.jobs = p.jobs[1:]
	return job, true
}

// waiting counts the jobs that no worker has taken.
func (p *pool) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.jobs)
}

// wait returns when nothing is left to do.
func (p *pool) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.workers > 0 {
		p.idle.Wait()
	}
}

// bell tells listeners that something about a key has changed.
type bell struct {
	mu        sync.Mutex
	listeners map[string][]chan struct{}
}

func (b *bell) listen(key string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = map[string][]chan struct{}{}
	}
	b.listeners[key] = append(b.listeners[key], c)
	return c, func() { b.leave(key, c) }
}

func (b *bell) leave(key string, c chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var rest []chan struct{}
	for _, l := range b.listeners[key] {
		if l != c {
			rest = append(rest, l)
		}
	}
	if len(rest) == 0 {
		delete(b.listeners, key)
		return
	}
	b.listeners[key] = rest
}

func (b *bell) ring(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.listeners[key] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
