// What to do where nothing has come yet.

import { el } from '../base/dom.js'
import { line } from './bits.js'

const TWO_LINES = 'import autogen_streamtrace\nautogen_streamtrace.instrument()'

/** The one line, the endpoint, and the demo. */
export function welcome(meta) {
  if (meta.demo) return el('div', { class: 'welcome' }, el('p', {}, 'The demo starts: an agent reads from a model server that cuts its streams in every way. The first stream appears here in a few seconds.'))
  const { http, grpc } = meta.endpoints ?? {}
  return el('div', { class: 'welcome' },
    el('ol', {},
      el('li', {}, el('h3', {}, 'Add it to the program'), line(TWO_LINES, 'these lines'), el('p', { class: 'faint' }, 'Before or after other imports; nothing else is to be set up.')),
      el('li', {}, el('h3', {}, 'Start the program'), line('python app.py', 'this command'), el('p', { class: 'faint' }, 'It sends here by itself. This page listens at ', grpc && el('code', {}, grpc), grpc && ' (grpc) and ', http && el('code', {}, http), '.')),
      el('li', {}, el('h3', {}, 'Or look at the demo first'), line('autogen-streamtrace ui --demo', 'this command'), el('p', { class: 'faint' }, 'A real agent against a model server that cuts its streams in every way.'))),
    http && el('details', {}, el('summary', {}, 'The program runs elsewhere, or sends somewhere else already'), el('p', { class: 'faint' }, 'Name this endpoint in its environment:'), line(`OTEL_EXPORTER_OTLP_ENDPOINT=${http}\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`, 'these lines')))
}
