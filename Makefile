# Everything but the tools is a session of nox: `nox -l` lists them.
.PHONY: tools
tools: # the Collector, Prometheus and VictoriaLogs for the end-to-end tests, built once
	python3 tools/build.py
