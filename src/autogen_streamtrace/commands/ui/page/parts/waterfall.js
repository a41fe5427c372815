// One turn, layer by layer: when each started, when its first item came, where it was silent, where it was cut.

import { el } from '../base/dom.js'
import { now } from '../base/clock.js'
import { accent, lasting, plain, round } from '../base/words.js'

const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200]

/** The spans of streams, and those that enclose one: the rest is the framework's own. */
export function telling(spans) {
  const by = new Map(spans.map(each => [each.span, each]))
  const kept = new Set()
  for (const each of spans.filter(one => one.stream)) {
    for (let at = each; at && !kept.has(at.span); at = by.get(at.parent)) kept.add(at.span)
  }
  return kept.size ? spans.filter(each => kept.has(each.span)) : spans
}

/** The waterfall of these spans. `chosen` (span) is called with the span whose row is opened. */
export function waterfall(turn, spans, selected, chosen) {
  const end = turn.end ?? now()
  const whole = Math.max(1, end - turn.start)
  const place = at => `${(100 * Math.min(1, Math.max(0, (at - turn.start) / whole))).toFixed(3)}%`
  const rows = spans.map(span => row(span, place, end, span.span === selected, chosen))
  return el('div', { class: 'waterfall', role: 'list', 'aria-label': 'layers of the turn' }, axis(whole / 1000), rows)
}

function axis(seconds) {
  const step = STEPS.find(each => seconds / each <= 6) ?? STEPS.at(-1)
  const ticks = []
  for (let at = 0; at <= seconds * 0.94; at += step) {
    ticks.push(el('span', { style: { left: `${(100 * at) / seconds}%` } }, at ? round(at) : '0'))
  }
  return el('div', { class: 'axis', 'aria-hidden': 'true' }, el('span', { class: 'faint' }, 'layer'), el('div', { class: 'ticks' }, ticks), el('span', { class: 'faint' }, 'ended'))
}

function row(span, place, end, selected, chosen) {
  const label = span.stream ? span.layer : plain(span.kind.toLowerCase())
  const name = span.stream ? span.stream_name || span.name : span.name
  const button = el('button', { type: 'button', class: 'label', 'aria-pressed': String(selected), title: span.name, onclick: () => chosen(span) },
    el('span', { class: 'layer' }, label), ' ', el('span', { class: 'name' }, name))
  button.style.setProperty('--depth', Math.min(8, span.depth))
  return el('div', { class: `span ${span.stream ? accent(span.outcome) : 'other'}${selected ? ' selected' : ''}`, role: 'listitem', data: { row: '', span: span.span } },
    button, el('div', { class: 'track', onclick: () => chosen(span) }, bars(span, place, end)), el('span', { class: 'end' }, ending(span)))
}

function ending(span) {
  const took = span.end === null ? null : lasting((span.end - span.start) / 1000)
  if (span.open || span.end === null) return [el('b', {}, 'open')]
  if (!span.stream) return [el('span', { class: 'faint' }, took)]
  return [el('b', {}, plain(span.outcome ?? '')), ' ', el('span', { class: 'faint' }, took)]
}

function bars(span, place, end) {
  const stop = span.end ?? end
  if (!span.stream) return [bar('plain', span.start, stop, place, '')]
  const last = Math.min(stop, span.last_at ?? span.start)
  const cut = span.verdict_at ?? stop
  const first = span.first_chunk_at ?? null
  const came = first === null ? [bar(span.outcome === 'completed' ? 'flow' : 'silent', span.start, cut, place, 'nothing came in between')] : [
    bar('wait', span.start, first, place, `first item after ${lasting((first - span.start) / 1000)}`),
    bar('flow', first, last, place, 'items came'),
    bar('silent', last, cut, place, `silent for ${lasting((cut - last) / 1000)}`),
  ]
  return [
    ...came,
    bar('overrun', cut, stop, place, `went on for ${lasting((stop - cut) / 1000)} after its reader had left`),
    ...(span.stalls ?? []).map(stall => mark('stall', stall.at, place, `stalled: silent for ${lasting(stall.silent)}${stall.waiting_on ? `, waiting on ${stall.waiting_on}` : ''}`)),
    !span.open && span.outcome && span.outcome !== 'completed' && mark(span.origin ? 'stop origin' : 'stop', cut, place, `${plain(span.outcome)}${span.origin ? ': here it arose' : ''}`),
  ]
}

function bar(kind, from, to, place, title) {
  if (!(to > from)) return null
  const part = el('i', { class: `bar ${kind}`, title })
  part.style.setProperty('left', place(from))
  part.style.setProperty('right', `calc(100% - ${place(to)})`)
  return part
}

function mark(kind, at, place, title) {
  return el('i', { class: `mark ${kind}`, title, style: { left: place(at) } })
}

/** What the parts of a bar mean. */
export function key() {
  const parts = [['wait', 'waiting for the first item'], ['flow', 'items come'], ['silent', 'silent'], ['overrun', 'after its reader had left']]
  return el('ul', { class: 'key' }, parts.map(([kind, text]) => el('li', {}, el('i', { class: `bar ${kind}` }), text)),
    el('li', {}, el('i', { class: 'mark stall' }), 'stall'), el('li', {}, el('i', { class: 'mark stop origin' }), 'cut, where it arose'))
}
