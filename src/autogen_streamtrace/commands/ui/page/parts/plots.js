// Plots, by plotly, which is loaded when the first one is to be drawn.

import { el } from '../base/dom.js'
import { counted, lasting, plain } from '../base/words.js'

const SETTINGS = { displayModeBar: false, responsive: true, scrollZoom: false }
const TICKS = [0.001, 0.01, 0.1, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400]
const TEXT_TICKS = ['1 ms', '10 ms', '0.1 s', '1 s', '5 s', '15 s', '30 s', '1 min', '2 min', '5 min', '10 min', '30 min', '1 h', '4 h']
const CROWDED = ['15 s', '30 s', '2 min', '10 min', '1 h']
let library = null

/** On a phone there is room for fewer labels. */
const narrow = () => innerWidth < 600

function loaded() {
  const embedded = document.getElementById('plotly')
  if (embedded && !window.Plotly) {
    const back = withoutStyles()
    const script = el('script')
    script.textContent = embedded.textContent
    document.body.append(script)
    back()
  }
  library ??= window.Plotly ? Promise.resolve(window.Plotly) : new Promise((done, failed) => {
    const script = el('script', { src: '/static/plotly.js' })
    const back = withoutStyles()
    script.onload = () => { back(); done(window.Plotly) }
    script.onerror = () => failed(new Error('The plotting library did not come.'))
    document.body.append(script)
  })
  return library
}

/** Leaves out the style sheet of maps that plotly brings along: nothing needs it here, and the page's policy forbids it. */
function withoutStyles() {
  document.head.appendChild = child => (child.tagName === 'STYLE' ? child : Node.prototype.appendChild.call(document.head, child))
  return () => delete document.head.appendChild
}

/** A place for a plot; `draw` (traces, layout) draws it, or what changed of it, without a flicker. */
export function plot(label, height, zoomed = null) {
  const element = el('div', { class: 'plot', role: 'img', 'aria-label': label, style: { 'min-height': `${height}px` } })
  let last = null
  let drawn = ''
  const draw = async (traces, layout) => {
    last = [traces, layout]
    const Plotly = await loaded()
    const told = JSON.stringify([traces, layout, document.documentElement.dataset.theme])
    if (!element.isConnected || told === drawn) return
    const first = drawn === ''
    drawn = told
    await Plotly.react(element, traces.map(coloured), { ...common(height), ...layout }, SETTINGS)
    if (first && zoomed) element.on('plotly_relayout', change => zoomedTo(change, zoomed))
  }
  const again = () => last && draw(...last)
  addEventListener('themechange', again)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { drawn = `${drawn} `; again() })
  return { element, draw, close: () => { removeEventListener('themechange', again); if (drawn) window.Plotly?.purge(element) } }
}

function zoomedTo(change, zoomed) {
  const [from, to] = [change['xaxis.range[0]'], change['xaxis.range[1]']]
  if (from !== undefined) zoomed(new Date(from).getTime(), new Date(to).getTime())
}

/** The colour of a custom property now: plotly wants it resolved. */
function resolved(name) {
  const probe = el('span', { class: 'offscreen', style: { color: `var(--${name})` } })
  document.body.append(probe)
  const colour = getComputedStyle(probe).color
  probe.remove()
  return colour
}

function coloured(trace) {
  return { ...trace, marker: { ...trace.marker, color: resolved(trace.colour), line: { width: 0 } } }
}

function common(height) {
  const [text, line] = [resolved('faint'), resolved('line')]
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, tickcolor: line, tickangle: 0, automargin: true, fixedrange: true }
  return {
    height, barmode: 'stack', bargap: 0.06, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    font: { family: 'system-ui, sans-serif', size: 12, color: text },
    margin: { l: 36, r: 12, t: 8, b: 28 },
    showlegend: false, hovermode: 'x unified', dragmode: false,
    hoverlabel: { bgcolor: resolved('sheet'), bordercolor: line, font: { color: resolved('text') } },
    xaxis: { ...axis, showgrid: false },
    yaxis: { ...axis, rangemode: 'tozero', tickformat: ',d', nticks: 4 },
  }
}

/** Turns over time, by outcome. */
export function overTime({ at, outcomes }, { from, to, step }) {
  const times = at.map(each => new Date(each + step * 500).toISOString())
  const traces = Object.entries(outcomes).map(([outcome, counts]) => ({
    type: 'bar', name: plain(outcome), x: times, y: counts, width: step * 1000 * 0.94, colour: `o-${outcome}`,
    hovertemplate: '%{y}',
  }))
  const base = common(190)
  return [traces, {
    dragmode: 'zoom',
    xaxis: { ...base.xaxis, type: 'date', fixedrange: false, range: [from, to].map(each => new Date(each).toISOString()), nticks: narrow() ? 4 : 8 },
  }]
}

/**
 * How many ended after how long, by outcome, with the limits marked. `outcomes` or `all` has the counts.
 * `beside`: another of them, which gets the same axis.
 */
export function spread({ edges, outcomes, all }, marks = [], beside = null) {
  const bars = all ? { completed: all } : outcomes
  const logs = edges.map(Math.log10)
  const middles = logs.slice(1).map((each, n) => (each + logs[n]) / 2)
  const widths = logs.slice(1).map((each, n) => (each - logs[n]) * 0.94)
  const told = edges.slice(1).map((each, n) => `${lasting(edges[n])} to ${lasting(each)}`)
  const traces = Object.entries(bars).map(([outcome, counts]) => ({
    type: 'bar', name: plain(outcome), x: middles, y: counts, width: widths, colour: `o-${outcome}`, customdata: told,
    hovertemplate: `%{customdata}: %{y} ${plain(outcome)}<extra></extra>`,
  }))
  const full = [...edges, ...(beside?.edges ?? [])].map(Math.log10)
  const shown = marks.map(({ seconds }) => Math.log10(seconds))
  const least = full.length ? Math.min(...full, ...shown) - 0.05 : 0
  const most = full.length ? Math.max(...full, ...shown, least + 0.5) + 0.05 : 1
  const base = common(230)
  return [traces, {
    hovermode: 'closest',
    margin: { ...base.margin, t: 16 + 15 * Math.min(3, marks.length) },
    xaxis: { ...base.xaxis, range: [least, most], tickvals: TICKS.map(Math.log10), ticktext: TEXT_TICKS.map(text => (narrow() && CROWDED.includes(text) ? '' : text)) },
    shapes: marks.map(markLine), annotations: placed(marks, least, most),
  }]
}

function markLine({ seconds, found }) {
  const x = Math.log10(seconds)
  return { type: 'line', x0: x, x1: x, yref: 'paper', y0: 0, y1: 1, line: { width: found ? 2 : 1, dash: found ? 'solid' : 'dot', color: resolved(found ? 'text' : 'faint') } }
}

/** Labels above the lines, in up to three rows, on the side where there is room. */
function placed(marks, least, most) {
  return marks.map(({ seconds, label, found }, n) => {
    const x = Math.log10(seconds)
    const right = (x - least) / (most - least) > 0.55
    return {
      x, y: 1, yref: 'paper', yanchor: 'bottom', yshift: 15 * (n % 3), xanchor: right ? 'right' : 'left', showarrow: false,
      text: `${escaped(label)} ${round(seconds)} s`, font: { size: 11, color: resolved(found ? 'text' : 'faint') },
    }
  })
}

const round = seconds => Number(seconds.toPrecision(4))

/** plotly reads a little markup in labels; names have none. */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** The outcomes that are drawn, each with its colour. */
export function legend(outcomes) {
  const sums = Object.entries(outcomes).map(([outcome, counts]) => [outcome, counts.reduce((sum, each) => sum + each, 0)])
  const shown = sums.filter(([, sum]) => sum).sort((one, other) => other[1] - one[1])
  return shown.map(([outcome, sum]) => el('li', { title: counted(sum, 'turn') }, el('i', { class: `swatch o-${outcome}` }), `${plain(outcome)} `, el('b', {}, sum.toLocaleString('en'))))
}
