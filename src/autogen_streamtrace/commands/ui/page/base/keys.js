// The keyboard: j and k through the rows, enter opens, / filters, ? explains.

import { el } from './dom.js'
import { go, link } from './route.js'

const HELP = [
  ['/', 'filter'],
  ['j  k', 'next, previous row'],
  ['enter', 'open the row'],
  ['c', 'copy the id of the row, or of the turn'],
  ['1 … 4', 'Now · What cuts them · Turns · Compare'],
  ['d', 'light, dark, as the system'],
  ['esc', 'close, or leave the field'],
  ['?', 'this list'],
]
const PLACES = { 1: 'now', 2: 'cuts', 3: 'turns', 4: 'compare' }

/** Listens for keys. `does`: what `/` and `d` do. */
export function start(does) {
  const help = dialog()
  document.body.append(help)
  addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (event.target.closest('input, select, textarea')) return
    const key = event.key
    if (key === '?') help.open ? help.close() : help.showModal()
    else if (help.open) return
    else if (key === '/') does.filter()
    else if (key === 'd') does.theme()
    else if (key === 'j' || key === 'k') step(key === 'j' ? 1 : -1)
    else if (key === 'c') document.activeElement.closest('[data-row]')?.querySelector('.copy')?.click() ?? copyFirst()
    else if (PLACES[key]) go(link(PLACES[key]))
    else return
    event.preventDefault()
  })
  return () => help.showModal()
}

function copyFirst() {
  document.querySelector('main .copy')?.click()
}

/** Moves the focus to the next row's link. */
function step(by) {
  const rows = [...document.querySelectorAll('main [data-row]')].filter(each => each.offsetParent)
  const at = rows.findIndex(each => each.contains(document.activeElement))
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))]
  next?.querySelector('a, button, summary')?.focus()
  next?.scrollIntoView({ block: 'nearest' })
}

function dialog() {
  const lines = HELP.map(([key, does]) => [el('dt', {}, el('kbd', {}, key)), el('dd', {}, does)])
  const made = el('dialog', { class: 'help', 'aria-label': 'Keys' }, el('h2', {}, 'Keys'), el('dl', {}, ...lines))
  made.addEventListener('click', event => event.target === made && made.close())
  return made
}
