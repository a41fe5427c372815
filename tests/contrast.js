// The texts that do not stand out from their ground by 4.5 to 1, as https://www.w3.org/TR/WCAG22/#contrast-minimum asks.
() => {
  const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const over = (colours) => {
    pen.clearRect(0, 0, 1, 1)
    for (const colour of colours) {
      pen.fillStyle = colour
      pen.fillRect(0, 0, 1, 1)
    }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3)
  }
  const channel = value => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
  const grounds = element => {
    const found = []
    for (let at = element; at; at = at.parentElement) found.unshift(getComputedStyle(at).backgroundColor)
    return found
  }
  const faint = []
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement
    if (!node.textContent.trim() || !element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue
    if (element.closest('.offscreen, noscript, style, script, option')) continue
    const ground = grounds(element)
    const style = getComputedStyle(element)
    const ink = element instanceof SVGElement ? style.fill : style.color
    const [one, other] = [light(over(ground)), light(over([...ground, ink]))].sort((a, b) => a - b)
    const ratio = (other + 0.05) / (one + 0.05)
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${element.className} ${node.textContent.trim().slice(0, 40)}`)
  }
  return faint
}
