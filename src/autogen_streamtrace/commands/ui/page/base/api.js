// Asks the server, or, in a page that is one file, what is embedded in it.

const embedded = document.getElementById('embedded')
const documents = embedded && JSON.parse(embedded.textContent)

/** Whether this page is a report of its own, with no server. */
export const isReport = documents !== null

/** An answer that is no document: what the server said of it, in a sentence. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence)
    this.status = status
  }
}

/** A document of the API. `query`: a URLSearchParams or nothing; `signal` ends the request. */
export async function ask(path, query = null, signal = null) {
  if (documents) {
    if (path in documents) return documents[path]
    throw new Refused(404, 'This is not in the report.')
  }
  const text = query ? query.toString() : ''
  const answer = await request(`/api/${path}${text ? `?${text}` : ''}`, { signal, headers: { accept: 'application/json' } })
  const document_ = await answer.json().catch(() => ({}))
  if (!answer.ok) throw new Refused(answer.status, document_.error ?? `The server answered ${answer.status}.`)
  return document_
}

let heard = () => {}

/** Sets who is told whether the server answers. */
export function tell(whom) {
  heard = whom
}

async function request(address, settings) {
  try {
    const answer = await fetch(address, settings)
    heard(true)
    return answer
  } catch (error) {
    if (error.name !== 'AbortError') heard(false)
    throw error
  }
}

/** The documents of a stream of events, until it is closed. */
export function listen(path, query, event, got) {
  const text = query.toString()
  const source = new EventSource(`/api/${path}${text ? `?${text}` : ''}`)
  source.addEventListener(event, message => {
    heard(true)
    got(JSON.parse(message.data))
  })
  source.onopen = () => heard(true)
  source.onerror = () => heard(false)
  return source
}
