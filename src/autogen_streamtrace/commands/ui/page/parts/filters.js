// The filters: chips of what is set, and a field that finds what can be.

import { el, keyed } from '../base/dom.js'
import { ask } from '../base/api.js'
import { changed, DEFAULT_SINCE, go, here, toggled } from '../base/route.js'
import { plain } from '../base/words.js'

const NAMES = ['service', 'version', 'environment', 'framework', 'agent', 'team', 'model', 'tool', 'host', 'outcome', 'ended_by', 'layer', 'cause']
const TIMES = [['15m', '15 min'], ['1h', '1 hour'], ['6h', '6 hours'], ['24h', '24 hours'], ['7d', '7 days'], ['all', 'all']]
const MOST = 60

/** The filters that the API understands, of the address. */
export function chosen(query = here().query) {
  const kept = [...query].filter(([name]) => NAMES.includes(name) || ['since', 'from', 'to'].includes(name))
  return new URLSearchParams(kept)
}

/** The bar. Returns its element, what brings it in line with the address, and what goes to its field. */
export function filterBar() {
  const chips = el('ul', { class: 'chips', 'aria-label': 'filters' })
  const list = el('ul', { class: 'choices', role: 'listbox', id: 'choices', hidden: true, 'aria-label': 'values' })
  const field = el('input', {
    type: 'text', placeholder: 'filter…', autocomplete: 'off', spellcheck: 'false', role: 'combobox', name: 'filter',
    'aria-label': 'Filter by service, outcome, host and more', 'aria-expanded': 'false', 'aria-controls': 'choices',
  })
  const times = el('select', { 'aria-label': 'time', name: 'since', onchange: () => go(changed({ since: times.value, from: null, to: null })) },
    TIMES.map(([value, text]) => el('option', { value }, text)), el('option', { value: 'zoom', hidden: true }, 'as zoomed'))
  const box = el('div', { class: 'combobox' }, field, el('kbd', { 'aria-hidden': 'true' }, '/'), list)
  suggest(field, list)
  const update = () => {
    const { query } = here()
    const set = [...query].filter(([name]) => NAMES.includes(name))
    keyed(chips, set, pair => pair.join('='), chip, () => {})
    times.value = query.has('from') ? 'zoom' : query.get('since') ?? DEFAULT_SINCE
  }
  return { element: el('div', { class: 'filters', role: 'search' }, chips, box, times), times, update, focus: () => field.focus() }
}

function chip([name, value]) {
  return el('li', {}, el('button', { type: 'button', class: 'chip', title: `Take this filter out: ${name} ${value}`, onclick: () => go(toggled(name, value)) },
    el('span', { class: 'faint' }, plain(name)), ' ', el('span', { class: 'name' }, value), el('span', { class: 'x', 'aria-hidden': 'true' }, '×')))
}

/** Makes the field offer values by turns, most frequent first, and take the keyboard. */
function suggest(field, list) {
  let all = []
  let at = 0
  const show = () => {
    const words = field.value.toLowerCase().split(/[\s:=]+/).filter(Boolean)
    const fits = all.filter(each => words.every(word => each.text.includes(word))).slice(0, MOST)
    at = Math.min(at, Math.max(0, fits.length - 1))
    list.replaceChildren(...(fits.length ? fits.map((each, n) => choice(each, n === at, () => take(each))) : [el('li', { class: 'faint none' }, all.length ? 'Nothing fits.' : 'There is nothing to choose from yet.')]))
    open(true)
    list.children[at]?.scrollIntoView({ block: 'nearest' })
  }
  const open = on => {
    list.hidden = !on
    field.setAttribute('aria-expanded', String(on))
    if (on) inside(list)
  }
  const take = each => {
    field.value = ''
    at = 0
    go(toggled(each.name, each.value))
    field.blur()
  }
  field.addEventListener('focus', async () => {
    all = flat(await ask('facets', chosen()).catch(() => ({})))
    if (document.activeElement === field) show()
  })
  field.addEventListener('input', () => { at = 0; show() })
  field.addEventListener('blur', () => open(false))
  list.addEventListener('mousedown', event => event.preventDefault())
  field.addEventListener('keydown', event => {
    const shown = list.querySelectorAll('[role=option]')
    if (event.key === 'Escape') { field.value = ''; field.blur() }
    else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      at = Math.max(0, Math.min(shown.length - 1, at + (event.key === 'ArrowDown' ? 1 : -1)))
      show()
      event.preventDefault()
    } else if (event.key === 'Enter') shown[at]?.click()
  })
}

/** Shifts the list to the left where it would leave the window. */
function inside(list) {
  list.style.left = '0px'
  const over = list.getBoundingClientRect().right - (document.documentElement.clientWidth - 8)
  if (over > 0) list.style.left = `${-over}px`
}

function flat(facets) {
  return NAMES.flatMap(name => (facets[name] ?? []).map(({ value, turns }) => ({ name, value, turns, text: `${name} ${value}`.toLowerCase() })))
}

function choice({ name, value, turns }, active, take) {
  return el('li', { role: 'option', class: active ? 'active' : '', 'aria-selected': String(active), onclick: take },
    el('span', { class: 'faint' }, plain(name)), el('span', { class: 'name' }, value), el('span', { class: 'faint count' }, turns.toLocaleString('en')))
}
