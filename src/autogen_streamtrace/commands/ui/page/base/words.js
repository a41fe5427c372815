// Numbers, times and verdicts in words.

export const CLASSES = {
  completed: 'good',
  length: 'limited', filtered: 'limited',
  truncated: 'cut', timeout: 'cut', disconnected: 'cut', rejected: 'cut', malformed: 'cut',
  cancelled: 'left', abandoned: 'left', never_started: 'left',
  failed: 'broke', killed: 'broke',
}

export const OUTCOMES = {
  completed: 'ended as it should',
  length: 'the model stopped at its token limit',
  filtered: "the provider's filter stopped it",
  truncated: 'ended cleanly, but unfinished',
  timeout: 'a timer of the HTTP client fired',
  disconnected: 'the connection was lost, or could not be made',
  rejected: 'the provider answered with an error',
  malformed: 'what arrived could not be parsed',
  cancelled: 'the task was cancelled, or the end user left',
  abandoned: 'the reader stopped reading',
  never_started: 'was created and never read',
  failed: 'a tool, an agent or the program raised',
  killed: 'the process died with the stream open',
}

/** The class of an outcome, for its accent. */
export const accent = outcome => CLASSES[outcome] ?? 'open'

/** `never_started` as it is read. */
export const plain = word => word.replaceAll('_', ' ')

/** A duration in few characters. */
export function lasting(seconds) {
  if (seconds === null || seconds === undefined) return '–'
  if (seconds === 0) return '0 s'
  if (seconds < 0.001) return '<1 ms'
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 10) return `${seconds.toFixed(2)} s`
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`
}

/** A round duration, for an axis. */
export function round(seconds) {
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(3))} ms`
  if (seconds < 120) return `${Number(seconds.toPrecision(3))} s`
  return seconds < 7200 ? `${Number((seconds / 60).toPrecision(3))} min` : `${Number((seconds / 3600).toPrecision(3))} h`
}

/** A duration that grows while it is looked at: no more digits than can be read. */
export function growing(seconds) {
  return seconds < 120 ? `${Math.max(0, seconds).toFixed(1)} s` : lasting(seconds)
}

/** A moment, as seen from now; both in milliseconds. */
export function ago(moment, now) {
  const seconds = (now - moment) / 1000
  if (seconds < 2) return 'just now'
  if (seconds < 60) return `${Math.floor(seconds)} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86400)} d ago`
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false })
const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })

/** The time of day, with the date where that is not today's. */
export function clock(moment) {
  const date = new Date(moment)
  const today = date.toDateString() === new Date().toDateString()
  return today ? CLOCK.format(date) : `${DATE.format(date)} ${CLOCK.format(date)}`
}

/** The whole moment, to the millisecond, for a tooltip. */
export const exact = moment => new Date(moment).toISOString().replace('T', ' ').replace('Z', ' UTC')

/** A number with its noun. */
export const counted = (number, noun) => `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`

/** A share of a whole. */
export function share(part, whole) {
  if (!whole) return '–'
  const percent = (100 * part) / whole
  return percent > 0 && percent < 0.1 ? '<0.1 %' : `${percent.toFixed(percent < 10 ? 1 : 0)} %`
}
