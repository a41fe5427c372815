// All that is known of one span: attributes with their meaning, stalls, contents, links.

import { copier, el } from '../base/dom.js'
import { link } from '../base/route.js'
import { lasting, plain } from '../base/words.js'
import { id, moment, pill, prose, section, stream } from './bits.js'

const LONG = 300

/** The details of a span. */
export function spanDetails(span, turn) {
  const title = span.stream ? stream(span.layer, span.stream_name) : span.name
  return section(title, el('div', { class: 'details' },
    el('p', { class: 'sum' }, span.stream ? pill(span.outcome) : el('span', { class: 'pill other' }, plain(span.kind.toLowerCase())),
      span.recovered && el('span', { class: 'pill note', title: 'The process died; its successor told what was recorded.' }, 'recovered'),
      ' ', span.sentence ?? span.status?.message ?? ''),
    el('dl', { class: 'facts' }, fact('span', id(span.span, 'the span id')), fact('began', moment(span.start)), fact('ended', span.end === null ? 'open' : moment(span.end)),
      span.stream && fact('name of the span', span.name)),
    stalls(span, turn),
    contents(span.contents),
    attributes(span.attributes ?? []),
    links(span.links ?? [])))
}

const fact = (name, value) => el('div', {}, el('dt', {}, name), el('dd', {}, value))

function stalls(span, turn) {
  if (!span.stalls?.length) return null
  return el('ul', { class: 'stalls' }, span.stalls.map(stall => el('li', {},
    `stalled after ${lasting((stall.at - turn.start) / 1000)}, silent for ${lasting(stall.silent)}`, stall.waiting_on && `, waiting on ${stall.waiting_on}`, stall.loop_blocked && ': the event loop was blocked',
    stall.stack && el('div', { class: 'line' }, el('pre', {}, stall.stack), copier(stall.stack, 'the stack')))))
}

function contents(given) {
  const all = Object.entries(given ?? {})
  if (!all.length) return null
  return el('div', { class: 'contents' }, el('h3', {}, 'Contents'), all.map(([name, text]) => el('details', { open: all.length < 3 },
    el('summary', {}, name), el('div', { class: 'line' }, el('pre', {}, readable(text)), copier(text, name)))))
}

/** JSON with line breaks; any other text as it is. */
function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

function attributes(all) {
  const rows = all.map(({ key, value, unit, meaning }) => el('tr', {},
    el('th', { scope: 'row' }, el('code', {}, key), meaning && el('span', { class: 'meaning' }, prose(meaning))),
    el('td', {}, shown(value, unit))))
  return el('table', { class: 'attributes' }, el('caption', { class: 'offscreen' }, 'attributes'), el('tbody', {}, rows))
}

function shown(value, unit) {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (unit === 's' && typeof value === 'number') return el('span', { title: `${value} s` }, lasting(value))
  if (Array.isArray(value)) return el('ul', {}, value.map(each => el('li', {}, String(each))))
  const text = typeof value === 'number' ? value.toLocaleString('en', { useGrouping: !Number.isInteger(value) || value > 99999 }) : String(value)
  if (text.length < LONG) return text
  return el('details', {}, el('summary', {}, `${text.slice(0, 80)}…`), el('pre', {}, text))
}

function links(all) {
  if (!all.length) return null
  return el('p', { class: 'faint' }, 'Linked to ', all.map(({ trace, span }) => [el('a', { href: link('turn', trace) }, el('code', {}, `${trace.slice(0, 8)}/${span}`)), ' ']))
}
