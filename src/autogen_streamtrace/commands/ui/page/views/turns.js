// The turns that fit the filters, one row each.

import { el, keyed, say } from '../base/dom.js'
import { ask, isReport } from '../base/api.js'
import { fresh } from '../base/fresh.js'
import { changed, go, here } from '../base/route.js'
import { counted } from '../base/words.js'
import { empty } from '../parts/bits.js'
import { chosen } from '../parts/filters.js'
import { keyOf, turnRow } from '../parts/turn_row.js'

const EVERY = 3
const ORDERS = [['newest', 'newest first'], ['longest', 'longest first'], ['silent', 'longest silent first']]

/** Opens the view. */
export function open(main, { failed }) {
  const [list, more, nothing] = [el('ul', { class: 'rows' }), el('button', { type: 'button', class: 'more' }, 'more'), el('div', {})]
  const order = el('select', { 'aria-label': 'order', name: 'order', onchange: () => go(changed({ order: order.value })) }, ORDERS.map(([value, text]) => el('option', { value }, text)))
  const early = el('input', { type: 'checkbox', id: 'early', onchange: () => go(changed({ early: early.checked ? '1' : null })) })
  const headline = el('h1', {}, 'Turns')
  const controls = isReport ? null : el('div', { class: 'controls' }, el('label', {}, early, ' only those that ended early'), order)
  main.replaceChildren(el('div', { class: 'view turns' }, el('div', { class: 'lead row-lead' }, headline, controls), list, nothing, more))
  let [older, next, first] = [[], null, []]
  const draw = () => {
    const all = [...first, ...older]
    keyed(list, all, keyOf, turnRow, () => {})
    more.hidden = next === null
    nothing.replaceChildren(...(all.length ? [] : [empty('No turn fits.', el('p', { class: 'faint' }, 'Choose a longer time, or take a filter out.'))]))
  }
  const query = before => {
    const asked = chosen()
    for (const name of ['order', 'early']) if (here().query.has(name)) asked.set(name, here().query.get(name))
    if (before) asked.set('before', before)
    return asked
  }
  const turns = fresh(EVERY, signal => ask('turns', query(), signal), answer => {
    first = answer.turns
    const has = new Set(first.map(keyOf))
    older = older.filter(each => !has.has(keyOf(each)))
    if (!older.length) next = answer.next
    say(headline, answer.total === undefined ? 'Turns' : counted(answer.total, 'turn'))
    draw()
  }, failed)
  more.addEventListener('click', async () => {
    const answer = await ask('turns', query(next)).catch(failed)
    if (!answer) return
    older = [...older, ...answer.turns]
    next = answer.next
    draw()
  })
  return {
    update() {
      const now = here().query
      order.value = now.get('order') ?? 'newest'
      early.checked = now.get('early') === '1'
      ;[older, next] = [[], null]
      turns.now()
    },
    close: turns.close,
  }
}
