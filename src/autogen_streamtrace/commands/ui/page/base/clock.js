// Ages and silences that grow while they are looked at, in the server's time.

import { say } from './dom.js'
import { ago, growing } from './words.js'

const EVERY = 100
let ahead = 0

/** Learns how far the server's clock is ahead of this one. */
export function learn(at) {
  ahead = at - Date.now()
}

/** The server's time, in milliseconds. */
export const now = () => Date.now() + ahead

/** Writes each age (`data-since`) and each moment (`data-ago`) anew. */
export function tick(root = document) {
  const at = now()
  for (const each of root.querySelectorAll('[data-since]')) say(each, growing((at - Number(each.dataset.since)) / 1000))
  for (const each of root.querySelectorAll('[data-ago]')) say(each, ago(Number(each.dataset.ago), at))
}

/** Keeps them fresh while the page can be seen. */
export function start() {
  setInterval(() => document.hidden || tick(), EVERY)
}
