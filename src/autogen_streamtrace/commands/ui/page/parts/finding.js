// A cause: its evidence, how sure it is, the lines to change, its runbook.

import { copier, el } from '../base/dom.js'
import { isReport } from '../base/api.js'
import { changed, link } from '../base/route.js'
import { accent, counted, plain, share } from '../base/words.js'
import { line, prose } from './bits.js'
import { runbook } from './runbook.js'

const SURE = { certain: 4, 'very likely': 3, likely: 2, possible: 1, 'too few to say': 0 }

/** How sure it is: the word, and four marks. */
export function sureness(sure) {
  const marks = [1, 2, 3, 4].map(each => el('i', { class: each <= (SURE[sure] ?? 0) ? 'on' : '' }))
  return el('span', { class: 'sure', title: `how sure: ${sure}` }, el('span', { class: 'marks', 'aria-hidden': 'true' }, marks), sure)
}

/** The lines to change: code before its note, or a sentence. */
export function fix(text) {
  const at = text.indexOf('  # ')
  if (at < 0 && /^[\w.]+[(=]/.test(text)) return el('div', { class: 'fix' }, line(text))
  if (at < 0) return el('div', { class: 'fix' }, el('p', {}, prose(text)), copier(text, 'what to change'))
  return el('div', { class: 'fix' }, line(text.slice(0, at)), el('p', { class: 'faint' }, prose(text.slice(at + 4))))
}

/** A card. `of`: turns lost in all, for its share; `brief`: without evidence, runbook and examples. */
export function findingCard(found, { rank = null, of = 0, brief = false } = {}) {
  const lost = found.lost ? counted(found.lost, 'turn') + ' lost' : counted(found.streams, 'ending')
  const part = el('progress', { max: Math.max(1, of), value: found.lost, 'aria-label': 'share of the turns lost' })
  return el(
    'article',
    { class: `finding ${accent(found.outcome)}`, data: brief ? {} : { row: '' } },
    el('h3', {}, rank !== null && el('span', { class: 'rank' }, `${rank}`), el('span', {}, prose(found.title))),
    el('p', { class: 'tally' }, el('b', {}, lost), of > 0 && found.lost > 0 && [` · ${share(found.lost, of)} `, part], ' ', sureness(found.sure), !isReport && found.outcome && el('a', { class: 'faint', href: changedTo(found) }, plain(found.outcome))),
    found.fix && el('div', { class: 'change' }, el('h4', {}, 'Change'), fix(found.fix)),
    !brief && el('ul', { class: 'evidence' }, found.evidence.map(each => el('li', {}, prose(each)))),
    !brief && found.alternative && el('p', { class: 'faint' }, `It may also be ${found.alternative.setting} (${found.alternative.kind}), ${found.alternative.seconds} s.`),
    !brief && foot(found),
  )
}

function changedTo(found) {
  return changed({ outcome: found.outcome })
}

function foot(found) {
  const examples = found.traces.map(trace => el('a', { href: link('turn', trace) }, el('code', {}, trace.slice(0, 8))))
  return el(
    'div',
    { class: 'foot' },
    found.runbook && runbook(found.runbook, found.runbook_title),
    examples.length > 0 && el('p', { class: 'faint examples' }, 'For instance ', examples),
    found.page && el('p', { class: 'faint' }, el('a', { href: found.page, rel: 'noreferrer noopener', target: '_blank' }, 'its documentation')),
  )
}
