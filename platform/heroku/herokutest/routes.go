package herokutest

import "net/http"

func (h *Heroku) platformRoutes() *http.ServeMux {
	r := routes{h, http.NewServeMux()}
	for _, register := range []func(routes){
		h.accountRoutes, h.appRoutes, h.releaseRoutes, h.buildRoutes, h.configRoutes, h.formationRoutes, h.dynoRoutes, h.logRoutes,
		h.addonRoutes, h.attachmentRoutes, h.domainRoutes, h.drainRoutes, h.pipelineRoutes, h.packRoutes,
	} {
		register(r)
	}
	r.mux.HandleFunc("GET /streams/dumps/{dump}", h.readDump)
	return r.mux
}

func (h *Heroku) dataRoutes() *http.ServeMux {
	r := routes{h, http.NewServeMux()}
	for _, register := range []func(routes){h.databaseRoutes, h.credentialRoutes, h.transferRoutes, h.scheduleRoutes, h.upkeepRoutes} {
		register(r)
	}
	return r.mux
}
