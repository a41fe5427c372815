// The address is the view: `#/turn/<trace id>?service=desk&since=1h`.

export const VIEWS = ['now', 'cuts', 'turns', 'turn', 'compare']
export const DEFAULT_SINCE = '24h'

/** What the address bar says now. */
export function here() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s)
  const [view, id = ''] = path.split('/')
  return { view: VIEWS.includes(view) ? view : 'now', id: safely(id), query: new URLSearchParams(query) }
}

function safely(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The address of a view. Filters go along; what only Compare knows stays there. */
export function link(view, id = '', query = here().query) {
  const kept = [...query].filter(([name]) => view === 'compare' || !/^([ab]\.|by$)/.test(name))
  const text = new URLSearchParams(kept).toString()
  return `#/${view}${id ? `/${encodeURIComponent(id)}` : ''}${text ? `?${text}` : ''}`
}

/** Goes to an address; `over`: without a new entry in the history. */
export function go(href, over = false) {
  if (over) {
    history.replaceState(null, '', href)
    dispatchEvent(new HashChangeEvent('hashchange'))
  } else location.hash = href
}

/** The address of this view with some names of its query set anew; `null` takes one out. */
export function changed(values) {
  const { view, id, query } = here()
  for (const [name, value] of Object.entries(values)) {
    query.delete(name)
    for (const each of value === null ? [] : [value].flat()) query.append(name, each)
  }
  return link(view, id, query)
}

/** The address with a filter added, or taken out where it is set. */
export function toggled(name, value) {
  const values = here().query.getAll(name)
  return changed({ [name]: values.includes(value) ? values.filter(each => each !== value) : [...values, value] })
}
