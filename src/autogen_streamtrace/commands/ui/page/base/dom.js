// Builds and updates the page's elements. A string is always text, never markup.

const SVG = 'http://www.w3.org/2000/svg'
const SAFE = /^(#|https?:\/\/)/

/** Makes an HTML element. `has`: properties and attributes; `null` and `false` leave one out. */
export function el(tag, has = {}, ...children) {
  return filled(document.createElement(tag), has, children)
}

/** Makes an SVG element. */
export function svg(tag, has = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), has, children)
}

function filled(made, has, children) {
  for (const [key, value] of Object.entries(has)) set(made, key, value)
  made.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false))
  return made
}

function set(made, key, value) {
  if (value === null || value === undefined || value === false) return
  if (key.startsWith('on')) made.addEventListener(key.slice(2), value)
  else if (key === 'style') for (const [name, each] of Object.entries(value)) made.style.setProperty(name, each)
  else if (key === 'data') Object.assign(made.dataset, value)
  else if (key === 'href') { if (SAFE.test(value)) made.setAttribute('href', value) }
  else made.setAttribute(key, value === true ? '' : value)
}

/** Sets an element's text only where it differs, so that nothing is drawn anew and a selection stays. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/** Sets an attribute only where it differs. */
export function put(element, name, value) {
  if (value === null) element.removeAttribute(name)
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value)
}

/**
 * Brings a container's children into line with a list: keeps, updates and moves what is there, adds and removes the rest.
 *
 * `key` gives a name per item, `make` a new element for it, `update` (element, item) writes what can change.
 */
export function keyed(container, items, key, make, update) {
  const had = new Map([...container.children].filter(each => each.dataset.key !== undefined).map(each => [each.dataset.key, each]))
  let at = container.firstElementChild
  for (const item of items) {
    const name = key(item)
    let element = had.get(name)
    if (element) had.delete(name)
    else {
      element = make(item)
      element.dataset.key = name
    }
    update(element, item)
    if (element === at) at = at.nextElementSibling
    else container.insertBefore(element, at)
  }
  for (const gone of had.values()) gone.remove()
}

/** A button that copies a text, and says so. */
export function copier(text, what) {
  const button = el('button', { class: 'copy', type: 'button', title: `Copy ${what}`, 'aria-label': `Copy ${what}` }, 'copy')
  button.addEventListener('click', async event => {
    event.preventDefault()
    event.stopPropagation()
    say(button, (await copied(text)) ? 'copied' : 'press Ctrl+C')
    setTimeout(() => say(button, 'copy'), 1500)
  })
  return button
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const field = el('textarea', { class: 'offscreen' })
    field.value = text
    document.body.append(field)
    field.select()
    const done = document.execCommand('copy')
    field.remove()
    return done
  }
}
