// Small things that every view shows.

import { copier, el, say } from '../base/dom.js'
import { accent, ago, clock, exact, plain, OUTCOMES } from '../base/words.js'
import { now } from '../base/clock.js'

/** The outcome, in the accent of its class. */
export function pill(outcome) {
  return el('span', { class: `pill ${accent(outcome)}`, title: OUTCOMES[outcome] ?? null }, plain(outcome ?? 'open'))
}

const LONGEST = 64

/** A name as far as it is useful in a row; its title has the rest. */
export const short = text => (text && text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text)

/** A layer and its name. */
export function stream(layer, name) {
  return el('span', { class: 'stream' }, el('span', { class: 'layer' }, layer), ' ', el('span', { class: 'name', title: name }, short(name) || 'without a name'))
}

/** A moment: the clock, and how long ago, kept fresh. */
export function moment(at) {
  if (at === null || at === undefined) return el('span', { class: 'faint' }, '–')
  return el(
    'time',
    { datetime: new Date(at).toISOString(), title: exact(at) },
    el('span', { class: 'clock' }, clock(at)),
    el('span', { class: 'ago', data: { ago: at } }, ago(at, now())),
  )
}

/** An id with its button. */
export function id(text, what) {
  return el('span', { class: 'id' }, el('code', { title: text }, text), copier(text, what))
}

/** What stands where there is nothing yet: a sentence, and what to do. */
export function empty(title, ...what) {
  return el('div', { class: 'empty' }, el('p', { class: 'empty-title' }, title), ...what)
}

/** A configuration line, a command or code, with its button. */
export function line(text, what = 'this line') {
  return el('div', { class: 'line' }, el('pre', {}, el('code', {}, text)), copier(text, what))
}

/** A sentence with its `code` told apart. */
export function prose(text) {
  return String(text).split('`').map((part, at) => (at % 2 ? el('code', {}, part) : part))
}

/** Fills a list of names and values in its order; a value is text or an element. */
export function facts(pairs) {
  return el('dl', { class: 'facts' }, pairs.filter(pair => pair[1]).map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))))
}

/** A section with a heading; `also` stands at the heading's right. */
export function section(title, body, { note = '', also = null } = {}) {
  return el('section', {}, el('header', {}, el('h2', {}, title), note && el('span', { class: 'note' }, note), also), body)
}

/** A number that stands out, with what it counts. */
export function figure(what) {
  const number = el('b', {})
  const element = el('div', { class: 'figure' }, number, el('span', {}, what))
  return { element, set: text => say(number, text) }
}
