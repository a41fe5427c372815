// Keeps what a view shows fresh: asks again, and drops an answer that comes too late.

import { isReport } from './api.js'

/**
 * Calls `load(signal)` now and every `seconds` while the page can be seen, and `show(answer)` with what it gave.
 * `failed(error)` is told what went wrong. Returns what loads again at once (`now`), and what stops it (`close`).
 */
export function fresh(seconds, load, show, failed) {
  let run = null
  let timer = null
  const again = () => {
    clearTimeout(timer)
    if (!isReport && seconds) timer = setTimeout(() => (document.hidden ? again() : now()), seconds * 1000)
  }
  const now = async () => {
    run?.abort()
    const own = (run = new AbortController())
    const [answer, error] = await load(own.signal).then(found => [found, null], wrong => [null, wrong])
    if (own.signal.aborted) return
    again()
    if (error) failed(error)
    else show(answer)
  }
  return { now, soon: wait => { clearTimeout(timer); timer = setTimeout(now, wait * 1000) }, close: () => { clearTimeout(timer); run?.abort() } }
}
