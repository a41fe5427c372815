// What is open now, what each waits on, and what was cut a moment ago.

import { el, keyed, put, say } from '../base/dom.js'
import { listen } from '../base/api.js'
import { learn, tick } from '../base/clock.js'
import { link } from '../base/route.js'
import { counted } from '../base/words.js'
import { moment, section, short, stream } from '../parts/bits.js'
import { chosen } from '../parts/filters.js'
import { findingCard } from '../parts/finding.js'
import { keyOf, turnRow } from '../parts/turn_row.js'
import { welcome } from '../parts/welcome.js'

const LATEST = 20

/** Opens the view; returns what brings it in line with the address, and what closes it. */
export function open(main, { meta }) {
  const parts = skeleton()
  main.replaceChildren(parts.element)
  let source = null
  let asked = null
  return {
    update() {
      const query = chosen()
      if (query.toString() === asked) return
      asked = query.toString()
      source?.close()
      source = listen('now/events', query, 'now', document_ => show(parts, document_, meta, asked !== ''))
    },
    close: () => source?.close(),
  }
}

function skeleton() {
  const [headline, under] = [el('h1', { 'aria-live': 'polite' }, 'Looking…'), el('p', { class: 'under' })]
  const open_ = el('ul', { class: 'rows open' })
  const ended = el('ul', { class: 'rows' })
  const worst = el('div', { class: 'worst' })
  const programs = el('ul', { class: 'programs' })
  const trouble = el('ul', { class: 'trouble', role: 'alert' })
  const rest = el('span', { class: 'note' })
  const openPart = section('Open', open_, { also: rest })
  const endedPart = section('Just ended', ended, { also: el('a', { href: link('turns') }, 'all turns') })
  const worstPart = section('What cuts them most', worst, { also: el('a', { href: link('cuts') }, 'all causes') })
  const programsPart = section('Programs', programs)
  const hello = el('div', { class: 'hello' })
  const body = el('div', { class: 'columns' }, el('div', {}, openPart, endedPart), el('aside', {}, worstPart, programsPart))
  const element = el('div', { class: 'view now' }, el('div', { class: 'lead' }, headline, under), trouble, hello, body)
  return { element, headline, under, open_, ended, worst, programs, trouble, rest, hello, body, worstPart, programsPart, endedPart }
}

function show(parts, now, meta, filtered) {
  learn(now.at)
  const nothing = !now.open.length && !now.ended.length && !now.programs.length
  lead(parts, now, nothing, filtered)
  keyed(parts.trouble, now.trouble ?? [], text => text, text => el('li', {}, text), () => {})
  if (nothing && !filtered && !parts.hello.hasChildNodes()) parts.hello.append(welcome(meta))
  parts.hello.hidden = !nothing || filtered
  parts.body.hidden = nothing && !filtered
  listOpen(parts, now)
  keyed(parts.ended, now.ended.length ? now.ended.slice(0, LATEST) : [null], turn => (turn ? keyOf(turn) : ''), turn => (turn ? turnRow(turn) : el('li', { class: 'none' }, 'No turn has ended yet.')), () => {})
  const worst = now.worst ? [now.worst] : []
  parts.worstPart.hidden = !worst.length
  keyed(parts.worst, worst, each => JSON.stringify(each), each => findingCard(each, { brief: true }), () => {})
  parts.programsPart.hidden = !now.programs.length
  keyed(parts.programs, now.programs, each => `${each.service}/${each.process}/${each.version}`, program, fillProgram)
  tick(parts.element)
}

/** What is wrong now, in one sentence; and the last minutes in another. */
function lead({ headline, under, element }, now, nothing, filtered) {
  const { open, stalled, cut_5m: cut, turns_5m: turns } = now.headline
  const flow = open === 1 ? 'One stream is open, and it flows.' : `${counted(open, 'stream')} are open, and all of them flow.`
  const stuck = `${stalled === 1 ? 'One' : stalled} of ${counted(open, 'open stream')} ${stalled === 1 ? 'has' : 'have'} stalled.`
  say(headline, nothing && !filtered ? 'Waiting for the first stream.' : stalled ? stuck : open ? flow : 'No stream is open.')
  put(element, 'data-state', stalled ? 'stalled' : cut ? 'cut' : 'well')
  const minutes = turns ? (cut ? `In the last 5 minutes ${cut} of ${counted(turns, 'turn')} ended early.` : `In the last 5 minutes ${turns === 1 ? 'one turn ended, as it should' : `all ${turns} turns ended as they should`}.`) : 'No turn has ended in the last 5 minutes.'
  say(under, nothing && !filtered ? '' : minutes)
}

function listOpen({ open_, rest }, now) {
  say(rest, now.open_total > now.open.length ? `${now.open.length} of ${now.open_total.toLocaleString('en')}` : '')
  const items = now.open.length ? now.open : [null]
  keyed(open_, items, each => each?.key ?? '', each => (each ? openRow(each) : el('li', { class: 'none' }, 'Nothing is open: a stream that starts appears here at once.')), (row, each) => each && fillOpen(row, each))
}

function openRow(each) {
  return el('li', { class: 'row stream-open', data: { row: '' } },
    el('i', { class: 'dot', 'aria-hidden': 'true' }),
    el('div', { class: 'what' }, el('a', { class: 'whole', href: each.trace ? link('turn', each.trace) : '#/now' }, stream(each.layer, each.name)),
      el('span', { class: 'faint' }, [short(each.service), each.version, each.process && `process ${each.process}`].filter(Boolean).join(' · ')),
      el('p', { class: 'chain' })),
    el('div', { class: 'waiting' }, el('span', { class: 'waits' }), el('span', { class: 'counts' })),
    el('span', { class: 'ages' }, el('span', { class: 'silent' }, el('b', {}), ' silent'), el('span', { class: 'age faint' }, el('span', {}), ' open')))
}

function fillOpen(row, each) {
  put(row, 'class', `row stream-open${each.stalled ? ' stalled' : ''}`)
  const [silent, age] = [row.querySelector('.silent b'), row.querySelector('.age span')]
  silent.dataset.since = each.last_at ?? each.start
  age.dataset.since = each.start
  const waits = row.querySelector('.waits')
  say(waits, each.waiting_on ? `waits on ${short(each.waiting_on)}` : '')
  say(row.querySelector('.counts'), each.chunks === null || each.chunks === undefined ? '' : counted(each.chunks, 'item'))
  const inside = each.inside ?? []
  keyed(row.querySelector('.chain'), inside, (one) => `${one.depth}/${one.layer}/${one.name}/${one.start}`, one => el('span', { class: 'inner' }, stream(one.layer, one.name), ' ', el('span', { class: 'faint since' })), (element, one) => {
    put(element, 'class', `inner${one.stalled ? ' stalled' : ''}`)
    element.querySelector('.since').dataset.since = one.last_at ?? one.start
  })
}

function program() {
  return el('li', {}, el('i', { class: 'dot' }), el('div', {}, el('span', { class: 'name' }), el('span', { class: 'faint detail' })), el('span', { class: 'when' }))
}

function fillProgram(row, each) {
  put(row, 'class', each.alive ? 'alive' : 'gone')
  say(row.querySelector('.name'), short(each.service) || 'without a name')
  say(row.querySelector('.detail'), [each.version, each.process && `process ${each.process}`, each.open ? `${each.open} open` : ''].filter(Boolean).join(' · '))
  const when = row.querySelector('.when')
  if (when.dataset.at !== String(each.last_at)) {
    when.dataset.at = each.last_at
    when.replaceChildren(moment(each.last_at))
  }
}
