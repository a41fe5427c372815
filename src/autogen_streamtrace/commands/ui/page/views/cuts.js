// Turns and their endings over time, the causes, and how long streams were silent and lasted.

import { el, keyed, put, say } from '../base/dom.js'
import { ask, isReport } from '../base/api.js'
import { fresh } from '../base/fresh.js'
import { changed, go, link } from '../base/route.js'
import { counted, plain, share } from '../base/words.js'
import { empty, figure, section } from '../parts/bits.js'
import { chosen } from '../parts/filters.js'
import { findingCard } from '../parts/finding.js'
import { legend, overTime, plot, spread } from '../parts/plots.js'

const EVERY = 5
const FIRST = 8
const BY = { layer: 'where it arose', host: 'host', ended_by: 'who ended it', cause_type: 'exception' }

/** Opens the view. */
export function open(main, { failed }) {
  const parts = skeleton()
  parts.more.addEventListener('click', () => { parts.all = true; showCauses(parts, parts.known) })
  main.replaceChildren(parts.element)
  if (isReport) ask('input').then(found => parts.element.append(...left(found)))
  const cuts = fresh(EVERY, signal => ask('cuts', chosen(), signal), answer => show(parts, answer), failed)
  const causes = fresh(EVERY, signal => ask('causes', chosen(), signal), answer => {
    showCauses(parts, answer)
    if (!answer.fresh && answer.again_in) causes.soon(answer.again_in)
  }, failed)
  return {
    update() {
      cuts.now()
      causes.now()
    },
    close() {
      for (const each of [cuts, causes, parts.time, parts.silence, parts.duration]) each.close()
    },
  }
}

function skeleton() {
  const headline = el('h1', {}, 'Looking…')
  const figures = { turns: figure('turns'), lost: figure('ended early'), share: figure('of all'), healed: figure('healed by a retry') }
  const zoom = isReport ? null : (from, to) => go(changed({ from: Math.round(from), to: Math.round(to), since: null }))
  const time = plot('turns over time, by how they ended', 190, zoom)
  const silence = plot('silence before an early end', 230)
  const duration = plot('duration of turns that ended early', 230)
  const [key, findings, by, state] = [el('ul', { class: 'legend' }), el('ol', { class: 'findings' }), el('div', { class: 'by' }), el('span', { class: 'note' })]
  const marked = el('p', { class: 'faint' }, 'Solid: a limit that a cause names. Dotted: a known limit nearby.')
  const more = el('button', { type: 'button', class: 'more', hidden: true })
  const body = el('div', { class: 'body' },
    section('Turns over time', el('div', {}, time.element, key)),
    section('Causes', el('div', {}, findings, more), { also: state }),
    el('div', { class: 'pair' },
      section('Silence before the end', silence.element, { note: 'early endings' }),
      section('Duration', duration.element, { note: 'early endings' })),
    marked,
    section('Where they were cut', by))
  const tops = el('div', { class: 'figures' }, Object.values(figures).map(each => each.element))
  const nothing = el('div', {})
  const element = el('div', { class: 'view cuts' }, el('div', { class: 'lead' }, headline, tops), nothing, body)
  return { element, headline, figures, time, silence, duration, key, findings, by, state, body, nothing, marked, more, turns: 0, lost: 0, known: null }
}

function show(parts, answer) {
  const { turns, lost, healed, marks = {} } = answer
  Object.assign(parts, { turns, lost })
  say(parts.headline, answer.summary || counts(turns, lost))
  parts.figures.turns.set(turns.toLocaleString('en'))
  parts.figures.lost.set(lost.toLocaleString('en'))
  parts.figures.share.set(share(lost, turns))
  parts.figures.healed.set((healed ?? 0).toLocaleString('en'))
  const any = turns > 0
  parts.body.hidden = !any
  put(parts.element, 'data-state', lost ? 'cut' : 'well')
  parts.nothing.replaceChildren(...(any ? [] : [empty('No turn in this time.', el('p', { class: 'faint' }, 'Choose a longer time, or take a filter out. ', el('a', { href: link('now') }, 'What is open now')))]))
  if (!any) return
  parts.time.draw(...overTime(answer.over_time, answer.range))
  parts.marked.hidden = !marks.silence?.length && !marks.duration?.length
  parts.silence.draw(...spread(answer.silence, marks.silence))
  parts.duration.draw(...spread(answer.duration, marks.duration))
  parts.key.replaceChildren(...legend(answer.over_time.outcomes))
  keyed(parts.by, Object.entries(BY).filter(([name]) => answer.by[name]?.length), ([name]) => name, () => el('div', {}), (element, [name, title]) => fillBy(element, name, title, answer))
}

/** What of the files could not be used, and what their source does not have. */
function left({ remark, bad, told }) {
  const lines = bad > 0 && section('What could not be read', el('ul', { class: 'evidence' }, told.map(each => el('li', {}, each))), { note: counted(bad, 'line') })
  return [remark && el('p', { class: 'faint' }, remark), lines].filter(Boolean)
}

/** The first sentence, until the causes are known. */
function counts(turns, lost) {
  if (!turns) return 'No turn.'
  return lost ? `${lost.toLocaleString('en')} of ${counted(turns, 'turn')} ended early (${share(lost, turns)}).` : `All is well: none of ${counted(turns, 'turn')} ended early.`
}

/** The commonest values, each with a bar. A value that can be filtered by is a link. */
function fillBy(element, name, title, answer) {
  const values = answer.by[name].slice(0, 6)
  const filter = { layer: null, host: 'host', ended_by: 'ended_by' }[name]
  element.replaceChildren(el('h3', {}, title), el('ul', {}, values.map(({ value, lost }) => {
    const text = el('span', { class: 'name', title: value }, name === 'ended_by' ? plain(value) : value)
    const named = filter && !isReport ? el('a', { href: changed({ [filter]: value }) }, text) : text
    return el('li', {}, named, el('progress', { max: Math.max(1, answer.lost), value: lost, 'aria-hidden': 'true' }), el('b', {}, lost.toLocaleString('en')))
  })))
}

function showCauses(parts, answer) {
  const part = answer.looked_at?.all === false ? `in the latest ${counted(answer.looked_at.streams, 'stream')}` : ''
  say(parts.state, answer.fresh ? part : answer.as_of ? 'looking again…' : 'looking for causes…')
  const whole = answer.findings.reduce((sum, each) => sum + each.lost, 0)
  const rest = answer.findings.length - FIRST
  parts.known = answer
  parts.more.hidden = parts.all || rest <= 0
  say(parts.more, `${counted(rest, 'more cause')}`)
  const ranked = answer.findings.slice(0, parts.all ? undefined : FIRST).map((found, n) => ({ found, n: n + 1 }))
  const none = answer.fresh && !ranked.length ? [null] : []
  keyed(parts.findings, [...ranked, ...none], each => each?.found.id ?? 'none', () => el('li', {}), (item, each) => fillCause(item, each, whole))
}


/** Makes a card anew where anything in it has changed; a runbook that is being read stays open. */
function fillCause(item, each, whole) {
  const told = JSON.stringify([each, whole])
  if (item.told === told) return
  item.told = told
  const was = item.querySelector('details[open]')
  item.replaceChildren(each ? findingCard(each.found, { rank: each.n, of: whole }) : empty('Nothing cuts the streams.'))
  if (was) item.querySelector('details')?.replaceWith(was)
}
