// Two versions, services, environments or others, side by side.

import { el, keyed, say } from '../base/dom.js'
import { ask } from '../base/api.js'
import { fresh } from '../base/fresh.js'
import { changed, go, here } from '../base/route.js'
import { lasting, plain, share } from '../base/words.js'
import { empty, section } from '../parts/bits.js'
import { chosen } from '../parts/filters.js'
import { findingCard } from '../parts/finding.js'
import { legend, overTime, plot, spread } from '../parts/plots.js'

const EVERY = 10
const BY = ['version', 'service', 'environment', 'framework', 'agent', 'model', 'tool', 'host']
const SIDES = ['a', 'b']

/** Opens the view. */
export function open(main, { failed }) {
  const parts = skeleton()
  main.replaceChildren(parts.element)
  const load = async signal => {
    const { by, a, b } = asked()
    const facets = await ask('facets', chosen(), signal)
    if (!a || !b) return { facets }
    const query = chosen()
    for (const side of SIDES) query.set(`${side}.${by}`, { a, b }[side])
    const [compared, ...causes] = await Promise.all([ask('compare', query, signal), ...SIDES.map(side => ask('causes', one(by, { a, b }[side]), signal))])
    return { facets, compared, causes }
  }
  const whole = fresh(EVERY, load, answer => show(parts, answer, asked()), failed)
  return {
    update: whole.now,
    close() {
      whole.close()
      for (const side of SIDES) for (const each of Object.values(parts.sides[side].plots)) each.close()
    },
  }
}

/** What is compared, by the address. */
function asked() {
  const { query } = here()
  const by = BY.includes(query.get('by')) ? query.get('by') : BY.find(name => query.has(`a.${name}`) || query.has(`b.${name}`)) ?? 'version'
  return { by, a: query.get(`a.${by}`), b: query.get(`b.${by}`) }
}

function one(by, value) {
  const query = chosen()
  query.delete(by)
  query.append(by, value)
  return query
}

function skeleton() {
  const by = el('select', { 'aria-label': 'what to compare', name: 'by' }, BY.map(value => el('option', { value }, plain(value))))
  by.addEventListener('change', () => go(changed({ by: by.value, ...Object.fromEntries(BY.flatMap(name => SIDES.map(side => [`${side}.${name}`, null]))) })))
  const picks = Object.fromEntries(SIDES.map(side => [side, el('select', { name: side, 'aria-label': side === 'a' ? 'first' : 'second', class: `side-${side}` })]))
  for (const side of SIDES) picks[side].addEventListener('change', () => go(changed({ [`${side}.${asked().by}`]: picks[side].value || null, by: asked().by })))
  const [nothing, table] = [el('div', {}), el('table', { class: 'compared' })]
  const sides = Object.fromEntries(SIDES.map(side => [side, sidePart(side)]))
  const body = el('div', { class: 'body' }, table, el('div', { class: 'pair' }, sides.a.element, sides.b.element))
  const element = el('div', { class: 'view compare' },
    el('div', { class: 'lead row-lead' }, el('h1', {}, 'Compare'), el('div', { class: 'controls' }, by, picks.a, el('span', { class: 'faint' }, 'with'), picks.b)), nothing, body)
  return { element, by, picks, nothing, table, sides, body }
}

function sidePart(side) {
  const plots = { time: plot(`turns over time, ${side}`, 190), silence: plot(`silence before an early end, ${side}`, 230), duration: plot(`duration of early endings, ${side}`, 230) }
  const [title, key, findings] = [el('h2', { class: `side-${side} name` }), el('ul', { class: 'legend' }), el('ol', { class: 'findings' })]
  const element = el('section', {}, el('header', {}, title), el('h3', {}, 'Turns over time'), plots.time.element, key,
    el('h3', {}, 'Silence before an early end'), plots.silence.element, el('h3', {}, 'Duration of early endings'), plots.duration.element, el('h3', {}, 'Causes'), findings)
  return { element, plots, title, key, findings }
}

function show(parts, { facets, compared, causes }, { by, a, b }) {
  const values = (facets[by] ?? []).map(({ value, turns }) => [value, `${value || 'none'} (${turns.toLocaleString('en')})`])
  parts.by.value = by
  options(parts.picks.a, values, a)
  options(parts.picks.b, values, b)
  parts.body.hidden = !compared
  parts.nothing.replaceChildren(...(compared ? [] : [advice(by, values, a, b)]))
  if (!compared) return
  rows(parts.table, compared, a, b)
  for (const [n, side] of SIDES.entries()) fillSide(parts.sides[side], compared[side], compared[n ? 'a' : 'b'], causes[n], { a, b }[side])
}

function options(select, values, chosen_) {
  const all = [['', 'choose…'], ...values]
  if (chosen_ && !values.some(([value]) => value === chosen_)) all.push([chosen_, chosen_])
  const told = JSON.stringify(all)
  if (select.told !== told) {
    select.told = told
    select.replaceChildren(...all.map(([value, text]) => el('option', { value }, text)))
  }
  select.value = chosen_ ?? ''
}

function advice(by, values, a, b) {
  if (values.length < 2) {
    return empty(`There ${values.length ? 'is only one' : 'is no'} ${plain(by)} in this time.`, el('p', { class: 'faint' }, 'Choose another thing to compare, or a longer time. A program names its version and environment so:'),
      el('p', {}, el('code', {}, 'OTEL_RESOURCE_ATTRIBUTES=service.version=1.2,deployment.environment.name=prod')))
  }
  const [first, second] = values
  const both = changed({ by, [`a.${by}`]: a ?? second[0], [`b.${by}`]: b ?? first[0] })
  return empty('Choose two to compare.', el('p', {}, el('a', { href: both }, `${a ?? second[0]} with ${b ?? first[0]}`)))
}

function rows(table, { rows: all }, a, b) {
  const head = el('thead', {}, el('tr', {}, el('th', {}), el('th', { scope: 'col', class: 'side-a' }, a), el('th', { scope: 'col', class: 'side-b' }, b), el('th', { scope: 'col' }, 'difference')))
  table.replaceChildren(head, el('tbody', {}, all.map(row => el('tr', {}, el('th', { scope: 'row' }, plain(row.what)),
    el('td', { class: row.sure && row.better === 'a' ? 'better' : '' }, value(row.a, row.unit)), el('td', { class: row.sure && row.better === 'b' ? 'better' : '' }, value(row.b, row.unit)), el('td', {}, difference(row))))))
}

function value(given, unit) {
  if (given === null || given === undefined) return '–'
  if (unit === 'share') return share(given, 1)
  return unit === 's' ? lasting(given) : given.toLocaleString('en', { maximumFractionDigits: 2 })
}

/** By how much, and whether it can be chance. */
function difference({ a, b, unit, better, sure }) {
  if (a === null || b === null || a === undefined || b === undefined || a === b) return el('span', { class: 'faint' }, a === b ? 'none' : '–')
  const by = `${b > a ? '+' : '−'}${value(Math.abs(b - a), unit)}`
  const word = better === null || better === undefined ? '' : sure ? (better === 'b' ? ' better' : ' worse') : ' may be chance'
  return [el('span', {}, by), el('span', { class: sure && better ? `tone ${better === 'b' ? 'good' : 'cut'}` : 'faint' }, word)]
}

function fillSide(part, cuts, beside, causes, name) {
  say(part.title, name)
  part.plots.time.draw(...overTime(cuts.over_time, cuts.range))
  part.plots.silence.draw(...spread(cuts.silence, cuts.marks?.silence, beside.silence))
  part.plots.duration.draw(...spread(cuts.duration, cuts.marks?.duration, beside.duration))
  part.key.replaceChildren(...legend(cuts.over_time.outcomes))
  const whole = causes.findings.reduce((sum, each) => sum + each.lost, 0)
  keyed(part.findings, causes.findings.length ? causes.findings : [null], each => each?.id ?? '', each => el('li', {}, each ? findingCard(each, { of: whole, brief: true }) : empty(causes.fresh ? 'Nothing cuts the streams.' : 'Looking…')), () => {})
}
