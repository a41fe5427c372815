// Brings the views together: which one the address names, the bar above them, the keyboard.

import { ask, isReport, tell } from './base/api.js'
import * as clock from './base/clock.js'
import { el, put, say } from './base/dom.js'
import * as keys from './base/keys.js'
import { here, link } from './base/route.js'
import * as theme from './base/theme.js'
import { filterBar } from './parts/filters.js'
import * as compareView from './views/compare.js'
import * as cutsView from './views/cuts.js'
import * as nowView from './views/now.js'
import * as turnView from './views/turn.js'
import * as turnsView from './views/turns.js'

const VIEWS = { now: nowView, cuts: cutsView, turns: turnsView, turn: turnView, compare: compareView }
const TABS = isReport ? [['cuts', 'What cuts them'], ['turns', 'Turns']] : [['now', 'Now'], ['cuts', 'What cuts them'], ['turns', 'Turns'], ['compare', 'Compare']]
const FIRST = isReport ? 'cuts' : 'now'
const AGAIN = 2000

const main = el('main', { id: 'main', tabindex: '-1' })
const filters = filterBar()
const tabs = TABS.map(([view, text]) => el('a', { data: { view } }, text))
const state = el('span', { class: 'state', role: 'status' })
const themeButton = el('button', { type: 'button', class: 'quiet', title: 'Light, dark, as the system (d)' })
const helpButton = el('button', { type: 'button', class: 'quiet', title: 'Keys (?)', 'aria-label': 'Keys' }, '?')
let shown = null

function nextTheme() {
  theme.turn()
  sayTheme()
}

function sayTheme() {
  say(themeButton, `${document.documentElement.dataset.theme} theme`)
  put(themeButton, 'aria-label', `Colours: ${document.documentElement.dataset.theme}`)
}

/** Says whether the server is there; a page without one goes on by itself when it is back. */
function connected(ok) {
  put(state, 'data-state', ok ? 'live' : 'lost')
  say(state, ok ? 'live' : 'The server is gone. Start `autogen-streamtrace ui` again: this page goes on by itself.')
}

/** Says why a request failed. What it was for asks again by itself. */
function failed(error) {
  if (error.status !== undefined) say(state, error.message)
}

function show(meta) {
  const { view: asked, id } = here()
  const name = isReport && !['cuts', 'turns', 'turn'].includes(asked) ? FIRST : asked
  const kind = `${name}/${id}`
  if (shown?.kind !== kind) {
    shown?.view.close()
    shown = { kind, view: VIEWS[name].open(main, { meta, failed }) }
    scrollTo(0, 0)
  }
  for (const tab of tabs) {
    put(tab, 'href', link(tab.dataset.view))
    put(tab, 'aria-current', tab.dataset.view === name || (name === 'turn' && tab.dataset.view === 'turns') ? 'page' : null)
  }
  document.title = `${TABS.find(([view]) => view === name)?.[1] ?? 'One turn'} · autogen-streamtrace`
  put(filters.element, 'hidden', name === 'turn' || isReport ? '' : null)
  put(filters.times, 'hidden', name === 'now' ? '' : null)
  filters.update()
  shown.view.update()
}

async function started() {
  for (;;) {
    try {
      return await ask('meta')
    } catch (error) {
      failed(error)
      await new Promise(done => setTimeout(done, AGAIN))
    }
  }
}

tell(connected)
theme.start()
sayTheme()
document.body.append(
  el('header', { class: 'bar' }, el('a', { class: 'brand', href: `#/${FIRST}` }, 'streamtrace'), el('nav', { 'aria-label': 'views' }, tabs), filters.element,
    el('div', { class: 'ends' }, !isReport && state, themeButton, helpButton)),
  main,
)
const showKeys = keys.start({ filter: filters.focus, theme: nextTheme })
helpButton.addEventListener('click', showKeys)
themeButton.addEventListener('click', nextTheme)
const meta = await started()
clock.start()
addEventListener('hashchange', () => show(meta))
show(meta)
