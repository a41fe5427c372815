// A turn that has ended, as one row of a list.

import { copier, el } from '../base/dom.js'
import { link } from '../base/route.js'
import { accent, lasting, plain } from '../base/words.js'
import { moment, pill, short, stream } from './bits.js'

/** The name under which a list keeps it. */
export const keyOf = turn => `${turn.trace}/${turn.at ?? turn.end}/${turn.name}`

/** The row. What a turn is does not change once it has ended. */
export function turnRow(turn) {
  const wrong = turn.outcome !== 'completed'
  const why = wrong && [
    turn.waiting_on && turn.waiting_on !== 'none' && el('span', {}, 'waited for ', el('b', { title: turn.waiting_on }, short(turn.waiting_on))),
    turn.status >= 400 && el('span', {}, `HTTP ${turn.status}`),
    turn.silence >= 1 && el('span', {}, `silent ${lasting(turn.silence)}`),
    turn.limit && el('span', {}, 'limit ', el('code', {}, turn.limit)),
    turn.ended_by && el('span', {}, `ended by ${plain(turn.ended_by)}`),
  ].filter(Boolean)
  return el(
    'li',
    { class: `row turn ${accent(turn.outcome)}`, data: { row: '' } },
    pill(turn.outcome),
    el(
      'div',
      { class: 'what' },
      el('a', { class: 'whole', href: link('turn', turn.trace) }, stream(turn.layer, turn.name)),
      el('span', { class: 'faint', title: turn.service }, short(turn.service)),
      wrong && el('p', { class: 'why' }, why),
    ),
    el('span', { class: 'lasting' }, lasting((turn.duration ?? ((turn.at ?? turn.end) - turn.start) / 1000))),
    moment(turn.at ?? turn.end),
    copier(turn.trace, 'the trace id'),
  )
}
