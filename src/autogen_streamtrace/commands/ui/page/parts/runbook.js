// A runbook, opened in its place.

import { copier, el } from '../base/dom.js'
import { ask } from '../base/api.js'
import { plain } from '../base/words.js'

const KEPT = new Set('H1 H2 H3 H4 P UL OL LI CODE PRE EM STRONG A TABLE THEAD TBODY TR TH TD BLOCKQUOTE HR BR'.split(' '))

/** A disclosure that fetches the runbook when it is opened. */
export function runbook(name, title) {
  const body = el('div', { class: 'runbook' })
  const made = el('details', {}, el('summary', {}, `Runbook: ${title || plain(name)}`), body)
  made.addEventListener('toggle', () => made.open && !body.hasChildNodes() && fill(body, name))
  return made
}

async function fill(body, name) {
  try {
    const { html } = await ask(`runbook/${encodeURIComponent(name)}`)
    const parsed = new DOMParser().parseFromString(html, 'text/html')
    body.replaceChildren(...[...parsed.body.childNodes].flatMap(node => kept(node, body)))
  } catch (refused) {
    body.replaceChildren(el('p', { class: 'faint' }, refused.message))
  }
}

/** A copy of a node with the elements that a runbook needs, and nothing else of it. */
function kept(node, body) {
  if (node.nodeType === Node.TEXT_NODE) return [node.textContent]
  if (node.nodeType !== Node.ELEMENT_NODE) return []
  const inner = [...node.childNodes].flatMap(child => kept(child, body))
  if (!KEPT.has(node.tagName) || node.tagName === 'H1') return node.tagName === 'H1' ? [] : inner
  if (node.tagName === 'A') return [anchor(node, inner, body)]
  const tag = { H2: 'h4', H3: 'h5', H4: 'h6' }[node.tagName] ?? node.tagName.toLowerCase()
  const made = el(tag, {}, ...inner)
  return node.tagName === 'PRE' ? [el('div', { class: 'line' }, made, copier(node.textContent.trimEnd(), 'these lines'))] : [made]
}

function anchor(node, inner, body) {
  const href = node.getAttribute('href') ?? ''
  const [, other] = href.match(/^#runbook=([\w-]+)/) ?? []
  if (!other) return el('a', { href, rel: 'noreferrer noopener', target: '_blank' }, ...inner)
  return el('button', { type: 'button', class: 'link', onclick: () => fill(body, other) }, ...inner)
}
