// Light, dark, or as the system has it.

const ORDER = ['auto', 'light', 'dark']
const NAME = 'streamtrace-theme'

function stored() {
  try {
    return localStorage.getItem(NAME)
  } catch {
    return null
  }
}

/** Sets what was chosen last. */
export function start() {
  set(ORDER.includes(stored()) ? stored() : 'auto')
}

/** Goes on to the next; returns its name. */
export function turn() {
  const next = ORDER[(ORDER.indexOf(document.documentElement.dataset.theme) + 1) % ORDER.length]
  set(next)
  try {
    localStorage.setItem(NAME, next)
  } catch {
    // It holds until the page is closed.
  }
  dispatchEvent(new Event('themechange'))
  return next
}

function set(name) {
  document.documentElement.dataset.theme = name
}
