// One turn: who waited for whom, where it was cut, and everything that is known of each of its layers.

import { el, keyed } from '../base/dom.js'
import { ask } from '../base/api.js'
import { fresh } from '../base/fresh.js'
import { changed, go, here, link } from '../base/route.js'
import { clock, counted, exact, lasting, plain } from '../base/words.js'
import { empty, facts, id, moment, pill, section, stream } from '../parts/bits.js'
import { findingCard } from '../parts/finding.js'
import { spanDetails } from '../parts/span.js'
import { key, telling, waterfall } from '../parts/waterfall.js'

const EVERY = 1

/** Opens the view. */
export function open(main, { failed }) {
  const [top, layers, details, log, rest] = Array.from({ length: 5 }, () => el('div', {}))
  const causes = el('div', { class: 'causes' })
  main.replaceChildren(el('div', { class: 'view turn' }, top, layers, el('div', { class: 'columns' }, el('div', {}, details), el('aside', {}, causes, log, rest))))
  let [turn, told] = [null, '']
  const parts = { top, layers, details, causes, log, rest }
  const draw = () => turn && show(parts, turn, here().query.get('span'))
  const asked = fresh(EVERY, signal => ask(`turn/${encodeURIComponent(here().id)}`, null, signal), answer => {
    turn = answer
    if (told !== JSON.stringify(answer) || !answer.complete) draw()
    told = JSON.stringify(answer)
    if (answer.complete) asked.close()
  }, error => (error.status === 404 || error.status === 400 ? missing(parts, error) : failed(error)))
  return {
    update() {
      if (turn?.trace === here().id) draw()
      else asked.now()
    },
    close: asked.close,
  }
}

function missing({ top, ...others }, error) {
  for (const each of Object.values(others)) each.replaceChildren()
  top.replaceChildren(empty('This turn is not here.', el('p', {}, error.message), el('p', { class: 'faint' }, 'It may be too old, it was not sent here, or its spans are still under way. ', el('a', { href: link('turns') }, 'All turns'))))
}

function show(parts, turn, wanted) {
  const selected = turn.spans.find(each => each.span === wanted) ?? turn.spans.find(each => each.origin && each.outcome !== 'completed') ?? turn.spans.find(each => each.stream) ?? turn.spans[0]
  const choose = span => go(changed({ span: span.span }), true)
  parts.top.replaceChildren(head(turn))
  const scrolled = document.activeElement?.closest?.('.span')?.dataset.span
  parts.layers.replaceChildren(layers(turn, selected, choose))
  if (scrolled) parts.layers.querySelector(`[data-span="${CSS.escape(scrolled)}"] button`)?.focus()
  parts.details.replaceChildren(selected ? spanDetails(selected, turn) : '')
  parts.causes.replaceChildren(...(turn.causes?.length ? [section(turn.causes.length === 1 ? 'The cause' : 'Causes', el('div', {}, turn.causes.map(each => findingCard(each))))] : []))
  parts.log.replaceChildren(...(turn.events?.length ? [section('Log events', events(turn, choose), { note: counted(turn.events.length, 'event') })] : []))
  const resource = Object.entries(turn.resource ?? {}).map(([name, value]) => [name, String(value)])
  parts.rest.replaceChildren(...(resource.length ? [el('details', { class: 'resource' }, el('summary', {}, 'The process'), facts(resource))] : []))
}

/** The waterfall, of the streams alone or of every span. */
function layers(turn, selected, choose) {
  const all = here().query.get('spans') === 'all'
  const few = telling(turn.spans)
  const shown = all || !few.includes(selected) ? turn.spans : few
  const rest = turn.spans.length - few.length
  const more = rest > 0 && el('button', { type: 'button', class: 'link', onclick: () => go(changed({ spans: all ? null : 'all' }), true) }, all ? 'the streams alone' : `and ${counted(rest, 'other span')}`)
  return section('Layers', el('div', {}, waterfall(turn, shown, selected?.span, choose), key()), { also: more || null })
}

function head(turn) {
  const outer = turn.spans.find(each => each.outermost) ?? turn.spans.find(each => each.stream)
  const [began, ended] = outer ? [outer.start, outer.end] : [turn.start, turn.end]
  return el('div', { class: 'lead' },
    el('div', { class: 'titles' }, pill(turn.outcome), el('h1', {}, turn.sentence || (outer ? stream(outer.layer, outer.stream_name) : 'A turn'))),
    waited(turn),
    facts([
      ['trace', id(turn.trace, 'the trace id')],
      ['service', turn.service],
      ['began', moment(began)],
      ['took', ended && lasting((ended - began) / 1000)],
    ]),
    !turn.complete && el('p', { class: 'note' }, 'Parts of it are still open, or have not come yet.'))
}

/** Who waited for whom, from the outermost stream to the one where it arose. */
function waited(turn) {
  const origin = turn.spans.find(each => each.origin && each.outcome !== 'completed') ?? turn.spans.find(each => each.open && each.stream)
  if (!origin) return null
  const by = new Map(turn.spans.map(each => [each.span, each]))
  const chain = []
  for (let each = origin; each && chain.length < 12; each = by.get(each.parent)) if (each.stream) chain.unshift(each)
  if (chain.length < 2) return null
  const parts = chain.flatMap((each, n) => [n > 0 && el('span', { class: 'faint' }, ' waited for '), stream(each.layer, each.stream_name)])
  return el('p', { class: 'waited' }, parts, el('span', { class: 'faint' }, origin.open ? ', which is open' : ', where it was cut'))
}

function events(turn, choose) {
  const spans = new Map(turn.spans.map(each => [each.span, each]))
  return el('ol', { class: 'events' }, turn.events.map(event => {
    const of = spans.get(event.span)
    const after = (event.at - turn.start) / 1000
    return el('li', { class: (event.severity ?? '').toLowerCase() },
      el('time', { title: exact(event.at) }, after >= 0 ? `+${lasting(after)}` : clock(event.at)),
      el('div', {}, el('b', {}, event.name || 'log'), ' ', of && el('button', { type: 'button', class: 'link', onclick: () => choose(of) }, of.stream ? `${of.layer} ${of.stream_name}` : of.name), event.body && el('p', {}, event.body)))
  }))
}
